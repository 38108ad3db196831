"""Whose Streamlit session is it? Its upload and media addresses say only which, and every signed-in user may ask for one."""

from streamlit.runtime import Runtime, get_instance


def owns_upload(token_id: str, path: str) -> bool:
    """`/_stcore/upload_file/{session}/{file}`: the session was opened by this very cookie."""
    session = path.removeprefix("/_stcore/upload_file/").partition("/")[0]
    return session in _sessions(get_instance(), token_id)


def owns_media(token_id: str, path: str) -> bool:
    """`/media/{file}.{ending}`: one of this cookie's sessions shows the file, or none does any more (then it is 404 soon)."""
    runtime = get_instance()
    file = path.rpartition("/")[2].partition(".")[0]
    shown = runtime.media_file_mgr._files_by_session_and_coord  # Streamlit 1.67 has no public way to ask; a test guards it
    holders = {session for session, files in list(shown.items()) if file in list(files.values())}
    return not holders or bool(holders & _sessions(runtime, token_id))


def _sessions(runtime: Runtime, token_id: str) -> set[str]:
    infos = runtime._session_mgr.list_active_sessions()
    return {info.session.id for info in infos if info.session._user_info.get("session") == token_id}
