"""Where somebody works, and where this session works from now on."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from api.route import OneHop
from api.session import same_origin, who
from lib import auth
from lib.identity import Identity

router = APIRouter(prefix="/clinics", tags=["clinics"], route_class=OneHop)


class Workplace(BaseModel):
    """`current`: where this session works."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "name": "Adams Dental", "role": "owner", "current": True}]})

    id: UUID
    name: str
    role: str
    current: bool


@router.get("")
def find(identity: Annotated[Identity, Depends(who)]) -> list[Workplace]:
    return [Workplace.model_validate(place) for place in auth.workplaces(identity)]


@router.post("/{clinic_id}/switch", status_code=204, dependencies=[Depends(same_origin)])
def switch(clinic_id: UUID, identity: Annotated[Identity, Depends(who)]) -> None:
    """The tokens stay: the next request works there."""
    auth.switch_clinic(identity, clinic_id)
