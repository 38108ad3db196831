"""The built-in knowledge base: finds the article that a question is about."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from lib import articles
from lib.articles import Article, Source, publish, read_folder
from lib.db import Scope

__all__ = ["Article", "Source", "find", "publish", "read_folder"]

WORD = re.compile(r"[^\W_]+")
QUESTION_CHARACTERS = 4_000
MOST_WORDS = 40
TYPO_LENGTH = 5
TYPO_LETTERS = 2
TYPO_SCORE = 0.915
ENOUGH_EXPLAINED = 0.55

# Words that ask, but do not name the matter. The stop words of the four languages come from PostgreSQL.
ASKING = frozenset(re.findall(r"\w+", """
    advice advise afterwards ago aller allowed already also après aren ask avoid avoir años begin behandlung beim
    bekomme bekommen believe besoin best better bin bit bitte bothering brauche cada causas cause caused causes causing
    chez combien commence comment complication complications could couldn coûter cuando cuanta cuantas cuanto cuantos
    cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo darf dauert day days deal debe deben debo dentist dentista
    dentistas dentiste después diagnose diagnosis didn diferencia difference différence do docteur doctor does doesn
    dois doit doktor drug due dura durar dure duren durent durer dürfen erste es estoy está estás every experience
    experienced experiencing explain faire fait feel feeling felt find fine first fois frequency frequently fréquence
    gehen gemacht get gets getting gibt give go going good got hacer hacerme hacerse halten handle happen happening hasn
    haven having hay hello help hi hält häufig if información information informationen informations ir isn issue ja
    jahre kann keep keeps know lang lange last lasted lasting lasts lately later like long longer longtemps lot machen
    make mal manage many may medical medication medications medicine medicines mein meine meinen might month months much
    muss must möchte möglich nach necesito need normal oft often ok okay oui outlook passiert patient patients people
    please possible prevent prevention primera primero problem problems puede pueden puedo puis quand quelle quelles
    quels question quiero quoi qué really reason recently recommend risk saber savoir see seit should si sign signs
    since soll sollte something somos souvent soy start starts still suffering suggest suis support symptom symptome
    symptoms symptômes sí síntomas take takes taking tarda tell temps tener tengo terminer test tests think tiempo tiene
    tienen time times today traitement tratamiento tratamientos treat treated treating treatment treatments tun type
    types unterschied ursachen use used veces versus visit visite voy vs wann want warum wasn way wear wearing week
    weeks welche wenn werden when which wie wissen wo won worried worth would wouldn wrong wurde year years yes
    yesterday zahnarzt zeit
"""))

# What people do, eat and feel around any treatment: it counts where an article speaks of it, and is not held against the others.
EVERYDAY = frozenset(re.findall(r"\w+", """
    abend abgefallen afraid alcohol alcool alkohol anymore apple arbeiten beber beißen boire bois boy bread brossage brosse
    brosser brush brushing caer café cayó caído cepillar cepillarme cepillo chaud cheap chew chewing child children coffee
    cold comer comida conducir conduire cost costs coûte coûtent cream cuesta cuestan dad daughter doler douloureux drink
    drinking drinks drive driving duele duelen eat eating eis enfant enfants esposa esposo essen exercise expensive fahren
    fallen father fee fees fell fille fils fit fits food foods froid front fruit frío fumar fumer girl glace gym hand hart
    heiß helado hija hijo hijos hot hurt hurting hurts husband ice kaffee kalt kauen kid kids kind kinder kosten kostet
    kälte lose lost manger mann masticar mom morder morning mother moving mum night niña niño nourriture nuts painful
    painless pierde popcorn precio precios preis preise price prices prix putzen rauchen rausgefallen rice safe schlafen
    schlimm schmerzhaft schmerzt school seguro sicher sleep sleeping smoke smoking soft sohn son soup sport sports swim
    tarif tea tee terrified teuer tochter tomar tombé tombée travailler trinken tut vale verloren vin walk walking wasser
    water weh wein wife wine work working
"""))

# A question about the price of anything the articles know is answered by the article on costs.
COSTS = "costs"
PRICE = re.compile(r"\b(?:costs?|prices?|fees|expensive|how much (?:is|are|for)(?! too)|cu[eé]stan?|cu[aá]nto vale|precios?"
                   r"|co[uû]te(?:r|nt)?|prix|tarifs?|kostet|kosten|preise?|teuer)\b", re.IGNORECASE)


def find(scope: Scope, question: str) -> Article | None:
    """The article the question is about, or None: better no answer than the nearest one."""
    asked = _analyse(scope, question)
    matter = [word for word in asked if word.matters]
    if not 0 < len(matter) <= MOST_WORDS:
        return None
    lexemes = {"tooth" if word.word == "teeth" else word.lexeme for word in asked}
    scored = [(_score(candidate, lexemes, matter), candidate.rank, candidate.slug) for candidate in _candidates(scope, matter)]
    best = max(scored, default=None)
    if best is None or best[0] == (0, 0):
        return None
    return articles.get(scope, COSTS if PRICE.search(question[:QUESTION_CHARACTERS]) else best[2])


# Understanding the question


@dataclass(frozen=True)
class _Term:
    word: str


@dataclass(frozen=True)
class _Word:
    """A word of the question and its stem; `matters` when it says what the question is about."""

    word: str
    lexeme: str
    matters: bool


def _analyse(scope: Scope, question: str) -> list[_Word]:
    words = list(dict.fromkeys(WORD.findall(question[:QUESTION_CHARACTERS].lower())))
    return scope.many(_Word, """
        select word,
               coalesce(nullif(array_to_string(tsvector_to_array(to_tsvector('english', word)), ' '), ''), word) as lexeme,
               word <> all(cast(:asking as text[]))
               and to_tsvector('english', word) <> ''
               and to_tsvector('spanish', word) <> ''
               and to_tsvector('french', word) <> ''
               and to_tsvector('german', word) <> '' as matters
        from unnest(cast(:words as text[])) as asked (word)
        """, words=_corrected(words, _vocabulary(scope)), asking=sorted(ASKING))


def _vocabulary(scope: Scope) -> list[str]:
    """The longer words of all titles and names: what a mistyped word may have meant."""
    rows = scope.many(_Term, """
        select distinct word
        from articles
        cross join regexp_split_to_table(lower(app.join_words(title || other_names || keywords)), '[^[:alnum:]]+') as word
        where length(word) >= :shortest
        """, shortest=TYPO_LENGTH)
    return [row.word for row in rows]


def _corrected(words: Sequence[str], vocabulary: Sequence[str]) -> list[str]:
    """Mistyped words and words without their accents, as the articles spell them."""
    known = set(vocabulary)
    spelled = {_plain(word): word for word in vocabulary}
    return [word if word in known else _spell(word, spelled) for word in words]


def _spell(word: str, spelled: Mapping[str, str]) -> str:
    """The first letter is seldom mistyped, and "plants" are no implants."""
    plain = _plain(word)
    if len(plain) < TYPO_LENGTH or plain in ASKING:
        return word
    if plain in spelled:
        return spelled[plain]
    likely = [known for known in spelled if known[0] == plain[0] and abs(len(known) - len(plain)) <= TYPO_LETTERS]
    near = process.extractOne(plain, likely, scorer=JaroWinkler.similarity, score_cutoff=TYPO_SCORE)
    return spelled[near[0]] if near else word


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


# Choosing the article


@dataclass(frozen=True)
class _Candidate:
    """`names` are the stems of the title and of each other name. `known` are the words of the question that the article
    has, `named` those among them that stand in its title, names or keywords."""

    slug: str
    names: list[str]
    named: list[str]
    known: list[str]
    rank: float


def _candidates(scope: Scope, matter: Sequence[_Word]) -> list[_Candidate]:
    return scope.many(_Candidate, r"""
        with asked as (
            select string_agg(quote_literal(lexeme), ' | ')::tsquery as query
            from unnest(to_tsvector('english', array_to_string(cast(:words as text[]), ' ')))
        ),
        wanted as (
            select word,
                   case when word in ('tooth', 'teeth') then 'tooth | teeth' else '' end::tsquery as one_or_more
            from unnest(cast(:words as text[])) as word
        )
        select slug,
               array(
                   select array_to_string(tsvector_to_array(to_tsvector('english', name)), ' ')
                   from unnest(title || other_names) as listed,
                        regexp_replace(replace(listed, '-', ' '), '\mteeth\M', 'tooth', 'gi') as name
               ) as names,
               array(
                   select word
                   from wanted
                   where ts_filter(search, '{a,b}') @@ (plainto_tsquery('english', word) || one_or_more)
               ) as named,
               array(
                   select word
                   from wanted
                   where search @@ (plainto_tsquery('english', word) || one_or_more)
               ) as known,
               ts_rank_cd(search, query) as rank
        from articles
        cross join asked
        where search @@ query
        """, words=[word.word for word in matter])


def _score(candidate: _Candidate, lexemes: set[str], matter: Sequence[_Word]) -> tuple[int, float]:
    """The words of the longest name that the question has in full, and the share of the question the article explains.

    A word found only in the text counts half: every article mentions pain and swelling somewhere.
    """
    names = (set(name.split()) for name in candidate.names)
    longest = max((len(name) for name in names if name and name <= lexemes), default=0)
    asked_for = [word for word in matter if word.word not in EVERYDAY or word.word in candidate.known]
    explained = (len(candidate.known) + len(candidate.named)) / 2 / max(len(asked_for), 1)
    return (longest, explained) if longest and explained >= ENOUGH_EXPLAINED else (0, 0)
