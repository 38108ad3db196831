"""What the code asks of the database: for tests that count or explain it, and whether a distributed engine would take it."""

import contextlib
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest import mock

from pglast import ast, parse_plpgsql, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, SetOperation
from psycopg.rows import tuple_row
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import PGDialect

from lib import db
from lib.settings import ROOT

SCHEMA = (ROOT / "schema.sql").read_text()
TENANTS = {"clinics"} | {name for name, body in re.findall(r"^create table (\w+) \((.*?)^\)", SCHEMA, re.M | re.S)
                         if re.search(r"^    clinic_id uuid", body, re.M)} - {"sessions", "tickets"}
# What Citus refuses or changes the meaning of (SCALE rules 2, 7 and 10).
UNPORTABLE = [r"\bmerge\s+into\b", r"\bset_config\s*\(", r"\bgrouping\s+sets\b", r"\b(rollup|cube)\s*\(", r"on\s+delete\s+set\s+null",
              r"\bcreate\s+type\b", r"\bcreate\s+materialized\b", r"add\s+column[^;]*\bcheck\b", r"\bset\s+app\.",
              r"\bset\s+session\b"]
VOLATILE = {"array_sample", "array_shuffle", "clock_timestamp", "current_query", "currval", "gen_random_uuid", "lastval", "nextval",
            "random", "random_normal", "set_config", "setval", "timeofday", "txid_status", "uuidv4", "uuidv7"}
STABLE = {"now", "transaction_timestamp", "statement_timestamp", "current_setting", "current_timestamp or the like"}
COORDINATOR = {"sessions", "tickets", "refresh_tokens", "recovery_codes", "password_resets", "security_events", "backups", "restores",
               "process_minutes", "alerts", "alert_mutes", "alembic_version"}
QUEUE = "procrastinate_"  # so begin the names of the job queue's tables, which stay on the coordinator as well
REFERENCE = set(re.findall(r"create_reference_table\('(\w+)'\)", (ROOT / "deploy" / "citus.sql").read_text()))
BETWEEN = {str(ROOT / "lib" / "db.py"), str(ROOT / "tests" / "conftest.py"), __file__, contextlib.__file__}
NUMBERED = PGDialect(paramstyle="numeric_dollar")
ORDER = ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt


_checked: set[str] = set()
_checked_of_the_house: set[str] = set()  # apart: what passes there may still name no clinic


def check_once(sql: str) -> None:
    """Whatever a test makes the app run; what the test itself asks may be an attack. See tests/conftest.py."""
    if sql not in _checked and not asked_by_a_test():
        check(sql)
        _checked.add(sql)


def asked_by_a_test() -> bool:
    frame = sys._getframe(2)
    while frame and (frame.f_code.co_filename in BETWEEN or "/sqlalchemy/" in frame.f_code.co_filename):
        frame = frame.f_back
    return not frame or frame.f_code.co_filename.startswith(str(ROOT / "tests"))


def check_of_the_house(sql: str) -> None:
    """What the tables' owner asks of all clinics, as an operator's commands and migrations do: it names none, but the rest holds."""
    if sql in _checked_of_the_house or not re.match(r"\s*(with|select|insert|update|delete)\b", sql, re.I):
        return
    written = re.sub(r"%\((\w+)\)s(::\w+)?", r":\1", sql).replace("%%", "%")
    for order in orders([raw.stmt for raw in parse_sql(str(text(written).compile(dialect=NUMBERED)))]):
        refused = [*refusals(order), *torn(order), *scattered(order)]
        assert not refused, f"Citus takes no {', '.join(refused)}: {sql}"
    _checked_of_the_house.add(sql)


def check(sql: str) -> None:
    said = re.sub(r"--.*", "", sql)
    refused = [pattern for pattern in UNPORTABLE if re.search(pattern, said.lower(), re.S)]
    assert not refused, f"Citus takes no {refused}: {sql}"
    compiled = text(sql).compile(dialect=NUMBERED)
    names = list(dict.fromkeys(compiled.positiontup or ()))
    clinic = names.index("clinic_id") + 1 if "clinic_id" in names else 0
    for order in orders([raw.stmt for raw in parse_sql(str(compiled))]):
        loose = Reading(clinic).of(order).loose()
        assert not loose, f"{', '.join(loose)}: of which clinic? {sql}"
        assert not refusals(order), f"Citus takes no {', '.join(refusals(order))}: {sql}"
        assert not torn(order), f"{', '.join(torn(order))}: on the coordinator only. {sql}"


# which clinic each table is asked for --------------------------------------------------------------------------------


@dataclass(eq=False)
class Reference:
    """A place where an order takes rows from or puts them. `key`: the column by which they are distributed, or ""."""

    name: str
    columns: Sequence[str]
    key: str = ""


Column = tuple[Reference, str]
Output = tuple[str, list[Column | None]]  # a column's name, and what it is taken from: several things where there is a union
CLINIC: Column = (Reference("the clinic that is asked for", ()), "")


@dataclass
class Level:
    """What the names in one select stand for, and the select around it. `queries`: those of its `with`."""

    outer: "Level | None" = None
    queries: dict[str, Reference] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)

    def find(self, path: list[str]) -> Column | None:
        *table, column = path
        for one in self.references:
            if one.name == table[-1] if table else column in one.columns:
                return one, column
        return self.outer.find(path) if self.outer else None


class Reading:
    """Follows a clinic through one order: `rules` say which column has it wherever certain others have it.

    `clinic`: the number of the parameter that is it. `function`: inside a body, where whatever is no column is a variable of the
    caller's. `view`: its reader names the clinic, so what the view's columns have, the columns have that they are taken from.
    `routed`: app.clinic() counts for nothing, as it comes to its clinic on each machine, too late to choose one.
    """

    def __init__(self, clinic: int = 0, *, function: bool = False, view: bool = False, routed: bool = False) -> None:
        self.clinic, self.function, self.view, self.routed = clinic, function, view, routed
        self.tenants: list[Reference] = []
        self.rules: list[tuple[set[Column], Column]] = []

    def of(self, order: ORDER) -> "Reading":
        outputs = self.order(order, Level())
        if self.view:
            self.rules += [({CLINIC}, one) for name, taken in outputs if name == "clinic_id" for one in taken if one]
        return self

    def loose(self) -> list[str]:
        """The tenants' tables of which it is not said whose rows are meant."""
        return [one.name for one in self.lacking(CLINIC)]

    def apart(self) -> list[str]:
        """Those of them that are not asked for the same clinic as the one that most others follow."""
        followed = [self.lacking(CLINIC, (one, one.key)) for one in self.lacking(CLINIC)]
        return [one.name for one in min(followed, key=len, default=[])]

    def lacking(self, *known: Column) -> list[Reference]:
        had: set[Column] = set()
        have = set(known)
        while had != have:
            had, have = have, have | {column for given, column in self.rules if given <= have}
        return [one for one in self.tenants if (one, one.key) not in have]

    # orders

    def order(self, node: ORDER, around: Level) -> list[Output]:
        """`around`: the level whose names it sees; its own `with` is added to those."""
        level = Level(around.outer, dict(around.queries))
        self.add_queries(node.withClause, level)
        if isinstance(node, ast.SelectStmt):
            return self.select(node, level)
        target = self.table(node.relation)
        if isinstance(node, ast.InsertStmt):
            self.insert(node, target, level)
        else:
            level.references.append(target)
            self.take_from(node.fromClause if isinstance(node, ast.UpdateStmt) else node.usingClause, level)
            self.narrow(node.whereClause, level, level.references)
        self.look_inside([node.whereClause, node.targetList] if isinstance(node, ast.UpdateStmt) else getattr(node, "whereClause", None), level)
        returned = node.returningClause.exprs if node.returningClause else ()
        self.look_inside(returned, level)
        return self.outputs(returned, level)

    def select(self, node: ast.SelectStmt, level: Level) -> list[Output]:
        if node.op != SetOperation.SETOP_NONE:
            return both(self.order(node.larg, level), self.order(node.rarg, level))
        self.take_from(node.fromClause, level)
        self.narrow(node.whereClause, level, level.references)
        self.look_inside([getattr(node, name) for name in node if name not in ("fromClause", "withClause")], level)
        if node.valuesLists:
            columns = zip(*node.valuesLists, strict=True)
            return [(f"column{n}", [self.column(one, level) for one in column]) for n, column in enumerate(columns, 1)]
        return self.outputs(node.targetList, level)

    def insert(self, node: ast.InsertStmt, target: Reference, level: Level) -> None:
        given = self.order(node.selectStmt, level) if node.selectStmt else []
        for name, (_, taken) in zip([one.name for one in node.cols or ()], given, strict=False):
            self.follow(taken, (target, name))
        level.references += [target, Reference("excluded", target.columns)]
        self.look_inside(node.onConflictClause, level)

    def add_queries(self, clause: ast.WithClause | None, level: Level) -> None:
        for one in clause.ctes if clause else ():
            renamed, query = [name.sval for name in one.aliascolnames or ()], one.ctequery
            if clause.recursive and isinstance(query, ast.SelectStmt) and query.op != SetOperation.SETOP_NONE:
                first = self.order(query.larg, level)
                level.queries[one.ctename] = self.derive(one.ctename, first, renamed)
                found = both(first, self.order(query.rarg, level))
            else:
                found = self.order(query, level)
            level.queries[one.ctename] = self.derive(one.ctename, found, renamed)

    def outputs(self, targets: Sequence[ast.ResTarget] | None, level: Level) -> list[Output]:
        found: list[Output] = []
        for one in targets or ():
            path = path_of(one.val)
            if path and path[-1] == "*":
                found += [(name, [(table, name)]) for table in level.references if path[0] in ("*", table.name) for name in table.columns]
            else:
                found.append((one.name or (path[-1] if path else ""), [self.column(one.val, level)]))
        return found

    # where rows come from

    def take_from(self, items: Sequence[ast.Node] | None, level: Level) -> None:
        for one in items or ():
            self.take(one, level)

    def take(self, node: ast.Node, level: Level) -> list[Reference]:
        if isinstance(node, ast.JoinExpr):
            return self.join(node, level)
        name, renamed = (node.alias.aliasname, [one.sval for one in node.alias.colnames or ()]) if node.alias else ("", [])
        if isinstance(node, ast.RangeVar) and node.relname in level.queries and not node.schemaname:
            query = level.queries[node.relname]
            found = self.derive(name or node.relname, [(one, [(query, one)]) for one in query.columns], renamed)
        elif isinstance(node, ast.RangeVar):
            found = self.table(node)
        elif isinstance(node, ast.RangeSubselect):
            seen = level if node.lateral else level.outer
            found = self.derive(name, self.order(node.subquery, Level(seen, level.queries)), renamed)
        else:
            self.look_inside(node, level)
            found = Reference(name, renamed or [one.colname for one in node.coldeflist or ()] or [name])
        level.references.append(found)
        return [found]

    def table(self, node: ast.RangeVar) -> Reference:
        found = Reference(node.alias.aliasname if node.alias else node.relname, columns().get(node.relname, ()), key(node))
        if found.key:
            self.tenants.append(found)
        return found

    def derive(self, name: str, outputs: list[Output], renamed: list[str]) -> Reference:
        made = Reference(name, renamed + [column for column, _ in outputs[len(renamed):]])
        for column, (_, taken) in zip(made.columns, outputs, strict=True):
            self.follow(taken, (made, column))
            if self.view:
                self.rules += [({(made, column)}, one) for one in taken if one]
        return made

    def join(self, node: ast.JoinExpr, level: Level) -> list[Reference]:
        """The condition of an outer join takes no row away from the side that is kept."""
        left, right = self.take(node.larg, level), self.take(node.rarg, level)
        narrowed = {JoinType.JOIN_LEFT: right, JoinType.JOIN_RIGHT: left, JoinType.JOIN_FULL: []}.get(node.jointype, left + right)
        self.narrow(node.quals, level, narrowed)
        self.look_inside(node.quals, level)
        for name in [one.sval for one in node.usingClause or ()]:
            pair = [next(((one, name) for one in side if name in one.columns), None) for side in (left, right)]
            self.equate(*pair, narrowed)
        return left + right

    # conditions

    def narrow(self, condition: ast.Node | None, level: Level, narrowed: list[Reference]) -> None:
        for one in conjuncts(condition):
            if isinstance(one, ast.A_Expr) and one.kind == A_Expr_Kind.AEXPR_OP and one.name[-1].sval == "=":
                rows = isinstance(one.lexpr, ast.RowExpr) and isinstance(one.rexpr, ast.RowExpr)
                pairs = zip(one.lexpr.args, one.rexpr.args, strict=True) if rows else [(one.lexpr, one.rexpr)]
                for left, right in pairs:
                    self.equate(self.column(left, level), self.column(right, level), narrowed)

    def equate(self, left: Column | None, right: Column | None, narrowed: list[Reference]) -> None:
        for given, then in [(left, right), (right, left)]:
            if then and then[0] in narrowed:
                self.follow([given], then)

    def follow(self, taken: list[Column | None], column: Column) -> None:
        if None not in taken:
            self.rules.append(({one for one in taken if one}, column))

    def column(self, node: ast.Node, level: Level) -> Column | None:
        if isinstance(node, ast.TypeCast):
            return self.column(node.arg, level)
        if isinstance(node, ast.ParamRef):
            return CLINIC if self.routed or node.number == self.clinic else None
        found = level.find(path_of(node)) if path_of(node) else None
        return found or (CLINIC if self.function and from_the_caller(node, self.routed) else None)

    def look_inside(self, node: Any, level: Level) -> None:
        """The selects within an expression."""
        if isinstance(node, ast.SelectStmt):
            self.order(node, Level(level, level.queries))
        else:
            for one in children(node):
                self.look_inside(one, level)


def both(one: list[Output], other: list[Output]) -> list[Output]:
    return [(name, taken + more) for (name, taken), (_, more) in zip(one, other, strict=True)]


def path_of(node: ast.Node) -> list[str]:
    """A column's name behind that of its table; empty for anything else."""
    if isinstance(node, ast.TypeCast):
        return path_of(node.arg)
    return ["*" if isinstance(one, ast.A_Star) else one.sval for one in node.fields] if isinstance(node, ast.ColumnRef) else []


def from_the_caller(node: ast.Node, routed: bool = False) -> bool:
    """A variable, or app.clinic(), inside a function."""
    if isinstance(node, ast.CoalesceExpr):
        return all(from_the_caller(one, routed) for one in node.args)
    if isinstance(node, ast.FuncCall) and [one.sval for one in node.funcname] == ["app", "clinic"]:
        return not routed
    return isinstance(node, ast.ColumnRef)


def conjuncts(node: ast.Node | None) -> list[ast.Node | None]:
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        return [one for argument in node.args for one in conjuncts(argument)]
    return [node]


# what is refused whichever clinic is asked for -----------------------------------------------------------------------


def refusals(order: ORDER) -> list[str]:
    """What Citus evaluates on several machines must come to the same on each; and no row moves to another clinic."""
    found: list[str] = []
    for node in every(order):
        if isinstance(node, ast.UpdateStmt | ast.DeleteStmt) and spread(node.relation):
            found += called(node) & (VOLATILE | volatile_of_ours())
            found += [f"set {one.name}" for one in getattr(node, "targetList", None) or () if one.name == key(node.relation)]
        elif isinstance(node, ast.InsertStmt) and spread(node.relation) and node.onConflictClause:
            mutable = VOLATILE | STABLE | volatile_of_ours() | stable_of_ours()
            found += [f"{name} in `do update`" for name in called(node.onConflictClause) & mutable]
    return found


def called(node: ast.Node) -> set[str]:
    found = {one.funcname[-1].sval for one in every(node) if isinstance(one, ast.FuncCall)}
    return found | {"current_timestamp or the like" for one in every(node) if isinstance(one, ast.SQLValueFunction)}


# on which machines it is to be found --------------------------------------------------------------------------------


def torn(order: ORDER) -> list[str]:
    """Rows of clinics asked for together with what only the coordinator has, by name or within a function that each machine calls."""
    if not tables(order) & (TENANTS | views().keys()):
        return []
    return sorted({name for name in tables(order) if stays(name)} | {f"{name}()" for name in called(order) if asks_the_coordinator(name)})


def scattered(order: ORDER) -> list[str]:
    """Of an order in a function that goes to all clinics: what cannot be answered on each machine by itself."""
    return [refused for part in parts(order) for refused in scattered_part(part)]


def scattered_part(part: ORDER) -> list[str]:
    found = Reading(function=True, routed=True).of(part)
    if not found.loose():
        return []
    said = {"a recursive query": any(isinstance(one, ast.WithClause) and one.recursive for one in every(part)),
            "a lock": any(isinstance(one, ast.LockingClause) for one in every(part)),
            "lateral": any(isinstance(one, ast.RangeSubselect) and one.lateral for one in every(part))}
    return [*found.apart(), *(name for name, there in said.items() if there)]


def parts(order: ORDER) -> Iterator[ORDER]:
    """What is planned by itself: an expression of a function asks once for each select in it."""
    if isinstance(order, ast.SelectStmt) and not (order.fromClause or order.valuesLists or order.op != SetOperation.SETOP_NONE):
        for one in children(order):
            yield from (part for inner in orders(one) for part in parts(inner))
    else:
        yield order


def tables(order: ORDER) -> set[str]:
    queries = {one.ctename for one in every(order) if isinstance(one, ast.CommonTableExpr)}
    return {one.relname for one in every(order) if isinstance(one, ast.RangeVar) and (one.schemaname or one.relname not in queries)}


def stays(name: str) -> bool:
    return name in COORDINATOR or name.startswith(QUEUE)


@cache
def asks_the_coordinator(name: str) -> bool:
    """Whether a function of ours does, or one that it calls."""
    own = dict(bodies(distributed(SCHEMA))).get(name, [])
    return any(any(map(stays, tables(order))) or any(asks_the_coordinator(one) for one in called(order) - {name}) for order in own)


# the schema ----------------------------------------------------------------------------------------------------------


@cache
def schema() -> list[ast.Node]:
    """Without the job queue's block, which is never distributed."""
    return [raw.stmt for raw in parse_sql(distributed(SCHEMA))]


def distributed(sql: str) -> str:
    return re.sub(r"^-- procrastinate .*^-- end of procrastinate$", "", sql, flags=re.M | re.S)


@cache
def columns() -> dict[str, list[str]]:
    """Of every table and view."""
    tables = {node.relation.relname: [one.colname for one in node.tableElts if isinstance(one, ast.ColumnDef)]
              for node in schema() if isinstance(node, ast.CreateStmt) and node.tableElts}
    return tables | {name: [one.name or path_of(one.val)[-1] for one in leftmost(query).targetList] for name, query in views().items()}


@cache
def views() -> dict[str, ast.SelectStmt]:
    return {node.view.relname: node.query for node in schema() if isinstance(node, ast.ViewStmt)}


def leftmost(query: ast.SelectStmt) -> ast.SelectStmt:
    return query if query.op == SetOperation.SETOP_NONE else leftmost(query.larg)


def key(node: ast.RangeVar) -> str:
    if node.schemaname not in (None, "public") or node.relname not in TENANTS | views().keys():
        return ""
    return "id" if node.relname == "clinics" else "clinic_id"


def spread(node: ast.RangeVar) -> bool:
    return bool(key(node)) or (node.schemaname in (None, "public") and node.relname in REFERENCE)


@cache
def volatile_of_ours() -> set[str]:
    return {name for name, volatility in volatilities() if volatility == "volatile"}


@cache
def stable_of_ours() -> set[str]:
    return {name for name, volatility in volatilities() if volatility == "stable"}


def volatilities() -> Iterator[tuple[str, str]]:
    for node in schema():
        if isinstance(node, ast.CreateFunctionStmt):
            said = [one.arg.sval for one in node.options or () if one.defname == "volatility"]
            yield node.funcname[-1].sval, said[0] if said else "volatile"


def bodies(sql: str) -> Iterator[tuple[str, list[ORDER]]]:
    """The orders in each function. Not what one hands to `execute`: that is made while it runs."""
    for raw in parse_sql(sql):
        if isinstance(raw.stmt, ast.CreateFunctionStmt):
            said = sql[raw.stmt_location:raw.stmt_location + raw.stmt_len]
            language = next(one.arg.sval for one in raw.stmt.options if one.defname == "language")
            yield raw.stmt.funcname[-1].sval, list(orders(raw.stmt.sql_body if language == "sql" else procedural(said)))


def procedural(sql: str) -> list[ast.Node]:
    return [raw.stmt for query, mode in queries(parse_plpgsql(sql)) for raw in parse_sql(as_order(query, mode))]


def queries(node: Any) -> Iterator[tuple[str, int]]:
    """Each expression of a PL/pgSQL function, with how it is to be read."""
    if isinstance(node, dict) and "parseMode" in node:
        yield node["query"], node["parseMode"]
    elif isinstance(node, dict | list):
        for one in node.values() if isinstance(node, dict) else node:
            yield from queries(one)


def as_order(query: str, mode: int) -> str:
    """0: an order, 2: an expression, from 3 on: an assignment."""
    if mode == 0:
        return query
    return "select " + (query if mode == 2 else re.split(r":?=", query, maxsplit=1)[1])


def orders(node: Any) -> Iterator[ORDER]:
    """The outermost selects, inserts, updates and deletes within a statement, most often itself."""
    if isinstance(node, ORDER):
        yield node
    else:
        for one in children(node):
            yield from orders(one)


def every(node: Any) -> Iterator[ast.Node]:
    if isinstance(node, ast.Node):
        yield node
    for one in children(node):
        yield from every(one)


def children(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.Node):
        yield from (getattr(node, name) for name in node)
    elif isinstance(node, list | tuple):
        yield from node


# listening -----------------------------------------------------------------------------------------------------------


@contextmanager
def listening() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every statement of this thread with its values; other threads, such as the housekeeper's, have their own."""
    asked, me, execute = [], threading.get_ident(), db.execute

    def note(connection, rows, sql, values):
        if threading.get_ident() == me:
            asked.append((sql, values))
        return execute(connection, rows, sql, values)

    with mock.patch.object(db, "execute", note):
        yield asked


def explained(scope: db.Scope, sql: str, values: dict[str, Any], how: str = "explain ") -> str:
    return "\n".join(line for (line,) in db.execute(scope.connection, tuple_row, how + sql, values))
