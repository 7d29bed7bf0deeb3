"""Who bills: the letterhead of a billing entity and its terms, from one YAML file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from orchestration.errors import UserError

FILE = "billing_entities.yml"
VARIABLE = "TALLY_BILLING_ENTITIES"
LISTS = ("address", "contact", "payment")


@dataclass(frozen=True)
class BillingEntity:
    """What a billing entity's pages say of it; `terms_days` until what it bills is due."""

    name: str = ""
    address: tuple[str, ...] = ()
    tax_number: str = ""
    contact: tuple[str, ...] = ()
    payment: tuple[str, ...] = ()
    note: str = ""
    terms_days: int = 30
    accent: str = "#1f4e9c"
    locale: str = ""


@dataclass(frozen=True)
class BillingEntities:
    """All of a file; an entity that it does not name is the default, under its own id."""

    default: BillingEntity
    entities: Mapping[str, BillingEntity]

    def find(self, billing_entity: str) -> BillingEntity:
        found = self.entities.get(billing_entity, self.default)
        return found if found.name else replace(found, name=billing_entity)


def read_billing_entities(project: Path) -> BillingEntities:
    """Those of the file that TALLY_BILLING_ENTITIES names, else of the project's.

    Without a file all is the default. Raises UserError with the place of what cannot be read.
    """
    import yaml

    named = os.environ.get(VARIABLE)
    file = Path(named) if named else project / FILE
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError:
        if named:
            raise UserError(f"{VARIABLE}: no file {named}") from None
        content = {}
    except (OSError, ValueError, yaml.YAMLError) as fault:
        raise UserError(f"{file}: {' '.join(str(fault).split())}") from None
    if not isinstance(content, dict) or not content.keys() <= {"default", "entities"}:
        raise UserError(f"{file}: expected the keys default and entities, and no other")
    default = _read_entity(content.get("default") or {}, BillingEntity(), f"{file}: default")
    entities = content.get("entities") or {}
    if not isinstance(entities, dict):
        raise UserError(f"{file}: entities: expected a billing entity a key")
    return BillingEntities(
        default,
        {
            str(key): _read_entity(value or {}, default, f"{file}: entities: {key}")
            for key, value in entities.items()
        },
    )


def _read_entity(values: Any, default: BillingEntity, place: str) -> BillingEntity:
    known = [one.name for one in fields(BillingEntity)]
    if not isinstance(values, dict):
        raise UserError(f"{place}: expected the keys {', '.join(known)}")
    read = {}
    for key, value in values.items():
        if key not in known:
            raise UserError(f"{place}: {key}: unknown, expected one of {', '.join(known)}")
        read[key] = _read_value(key, value, f"{place}: {key}")
    return replace(default, **read)


def _read_value(key: str, value: Any, place: str) -> Any:
    if key in LISTS:
        if not isinstance(value, list):
            raise UserError(f"{place}: expected a list of texts")
        return tuple(str(one) for one in value)
    if key == "terms_days":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 3650:
            raise UserError(f"{place}: found {value!r}, expected a whole number of days")
        return value
    text = "" if value is None else str(value)
    if key == "accent" and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise UserError(f"{place}: found {text!r}, expected a colour such as #1f4e9c")
    if key == "locale":
        _check_locale(text, place)
    return text


def _check_locale(text: str, place: str) -> None:
    from orchestration.exports.number_format import is_locale

    if not is_locale(text):
        raise UserError(f"{place}: found {text!r}, expected a locale such as en_GB or de_AT")
