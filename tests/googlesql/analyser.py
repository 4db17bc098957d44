"""Type-check BigQuery statements against a catalog, as BigQuery would be asked to.

The analyser is the language, not the service: quotas, partition pruning and permissions stay
unproven, and so do the features in :data:`NOT_IN_BIGQUERY`, a judgement: Google publishes no list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2 as options
from zetasql.wasi._pb2.zetasql.proto import simple_catalog_pb2 as catalog
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public import simple_table_pb2 as simple_table
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2 as node_kinds

from tests.googlesql.engine import Engine, GoogleSqlError
from tests.googlesql.resolved import attribute, function_name, innermost, kind, offset, walk

NOT_IN_BIGQUERY = (
    "UUID_TYPE",
    "MAP_TYPE",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "TIMESTAMP_PRECISION",
    "FOR_UPDATE",
    "INSERT_ON_CONFLICT_CLAUSE",
    "DML_RETURNING",
    "EXPERIMENTAL_MODULES",
    "TOKENIZED_SEARCH",
    "IDENTITY_COLUMNS",
    "NULLIFZERO_ZEROIFNULL",
    "PI_FUNCTIONS",
    "FIRST_AND_LAST_N",
    "TYPEOF_FUNCTION",
    "ANONYMIZATION",
    "AGGREGATION_THRESHOLD",
    "LATERAL_JOIN",
    "MULTILEVEL_AGGREGATION",
    "AGGREGATE_FILTERING",
    "ENABLE_MEASURES",
    "KLL_WEIGHTS",
    "WITH_GROUP_ROWS",
    "ARRAY_GREATEST_LEAST",
    "NESTED_UPDATE_DELETE_WITH_OFFSET",
    "ARRAY_ELEMENTS_WITH_SET",
    "JSON_TYPE_COMPARISON",
)

_TYPE_KINDS = {
    "STRING": types.TYPE_STRING,
    "INT64": types.TYPE_INT64,
    "NUMERIC": types.TYPE_NUMERIC,
    "BIGNUMERIC": types.TYPE_BIGNUMERIC,
    "BOOL": types.TYPE_BOOL,
    "DATE": types.TYPE_DATE,
    "DATETIME": types.TYPE_DATETIME,
    "TIME": types.TYPE_TIME,
    "TIMESTAMP": types.TYPE_TIMESTAMP,
    "FLOAT64": types.TYPE_DOUBLE,
    "BYTES": types.TYPE_BYTES,
    "JSON": types.TYPE_JSON,
    "INTERVAL": types.TYPE_INTERVAL,
}
_TYPE_NAMES = {kind: name for name, kind in _TYPE_KINDS.items()}
# As BigQuery's API names them.
_LEGACY_TYPE_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_TABLE_OPTIONS = {
    "description": "STRING",
    "friendly_name": "STRING",
    "partition_expiration_days": "FLOAT64",
    "require_partition_filter": "BOOL",
    "expiration_timestamp": "TIMESTAMP",
    "location": "STRING",
    "labels": None,
    "primary_key": None,
}
# ``?`` parameters are recorded as _1, _2 …
_POSITION = re.compile(r"_\d+")
_PLACE = re.compile(r"\s*\[at (\d+):(\d+)\]\s*$")


@dataclass(frozen=True, slots=True)
class Call:
    """One resolved function call: its name, result type, argument types and place (or 1:1).

    A cast, also one that the language makes by itself, is a call of ``$cast``.
    """

    name: str
    result_type: str
    argument_types: tuple[str, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a valid statement resolves to."""

    columns: tuple[tuple[str, str], ...]
    calls: tuple[Call, ...]
    statement: Message


class InvalidSqlError(Exception):
    """The analyser refused the statement."""

    def __init__(self, line: int, column: int, message: str) -> None:
        self.line, self.column, self.message = line, column, message
        super().__init__(f"{line}:{column}: {message}")


class Analyser:
    """Checks statements against tables that are registered once."""

    def __init__(
        self,
        engine: Engine,
        tables: Mapping[str, Sequence[tuple[str, str]]],
        parameters: Mapping[str, str],
        projects: Iterable[str] = (),
    ) -> None:
        """Register the tables.

        Args:
            tables: ``dataset.table`` to (column, type) pairs.
            parameters: Name to type.
            projects: Names that may stand before a dataset.
        """
        self._engine = engine
        language = language_options(engine)
        self._language = language
        self._options = analyser_options(language, parameters)
        self._lenient_options = options.AnalyzerOptionsProto()
        self._lenient_options.CopyFrom(self._options)
        self._lenient_options.allow_undeclared_parameters = True
        request = service.RegisterCatalogRequest(
            simple_catalog=simple_catalog(language, tables, projects)
        )
        answer = engine.call("RegisterCatalog", request, service.RegisterResponse)
        self._catalog_id = answer.registered_id

    def analyse(self, sql: str, *, undeclared_parameters: bool = False) -> Analysis:
        """Resolve one statement.

        Args:
            sql: The statement.
            undeclared_parameters: Let the analyser infer the type of parameters it was not told.

        Raises:
            InvalidSqlError: with the place and Google's own words.
        """
        request = service.AnalyzeRequest(
            sql_statement=sql,
            options=self._lenient_options if undeclared_parameters else self._options,
            registered_catalog_id=self._catalog_id,
        )
        try:
            answer = self._engine.call("Analyze", request, service.AnalyzeResponse)
        except GoogleSqlError as error:
            raise _invalid(str(error)) from None
        statement = innermost(answer.resolved_statement)
        return Analysis(_output_columns(statement), tuple(_calls(statement, sql)), statement)

    def parse_script(self, sql: str) -> list[Message]:
        """The statements of a script, parsed and not yet resolved.

        Raises:
            InvalidSqlError: the text is not a script.
        """
        request = service.ParseRequest(sql_statement=sql, options=self._language, allow_script=True)
        try:
            answer = self._engine.call("Parse", request, service.ParseResponse)
        except GoogleSqlError as error:
            raise _invalid(str(error)) from None
        return list(answer.parsed_script.statement_list_node.statement_list)


def place(sql: str, byte: int | None) -> tuple[int, int]:
    """1-based line and column of a byte of the statement; 1:1 where it is not known."""
    before = sql.encode()[: byte or 0].decode()
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def type_proto(name: str) -> types.TypeProto:
    """``ARRAY<STRUCT<day DATE, spend NUMERIC>>`` and the like, as the analyser's own type."""
    proto = types.TypeProto()
    name = name.strip()
    kind, _, inner = name.partition("<")
    if kind.upper() == "ARRAY":
        proto.type_kind = types.TYPE_ARRAY
        proto.array_type.element_type.CopyFrom(type_proto(inner[:-1]))
    elif kind.upper() == "STRUCT":
        proto.type_kind = types.TYPE_STRUCT
        proto.struct_type.SetInParent()
        for each in _split_fields(inner[:-1]):
            field_name, _, field_type = each.strip().partition(" ")
            proto.struct_type.field.add(field_name=field_name, field_type=type_proto(field_type))
    else:
        name = name.upper()
        proto.type_kind = _TYPE_KINDS[_LEGACY_TYPE_NAMES.get(name, name)]
    return proto


def _split_fields(text: str) -> Iterator[str]:
    """``a STRING, b ARRAY<STRUCT<c DATE, d DATE>>`` at its outer commas."""
    start = depth = 0
    for position, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def type_name(proto: types.TypeProto) -> str:
    if proto.type_kind == types.TYPE_ARRAY:
        return f"ARRAY<{type_name(proto.array_type.element_type)}>"
    if proto.type_kind == types.TYPE_STRUCT:
        fields = (
            f"{field.field_name} {type_name(field.field_type)}".strip()
            for field in proto.struct_type.field
        )
        return f"STRUCT<{', '.join(fields)}>"
    return _TYPE_NAMES.get(proto.type_kind) or types.TypeKind.Name(proto.type_kind)


def language_options(engine: Engine) -> options.LanguageOptionsProto:
    everything = engine.call(
        "GetLanguageOptions",
        service.LanguageOptionsRequest(maximum_features=True),
        options.LanguageOptionsProto,
    )
    switched_off = {public.LanguageFeature.Value(f"FEATURE_{name}") for name in NOT_IN_BIGQUERY}
    language = options.LanguageOptionsProto(
        product_mode=public.PRODUCT_EXTERNAL,
        name_resolution_mode=public.NAME_RESOLUTION_DEFAULT,
        reserved_keywords=["QUALIFY"],
        enabled_language_features=[
            *(on for on in everything.enabled_language_features if on not in switched_off),
            public.FEATURE_INTERVAL_TYPE,
            public.FEATURE_CREATE_VIEWS_WITH_COLUMN_OPTIONS,
        ],
    )
    language.supported_statement_kinds.extend(
        kind for name, kind in node_kinds.ResolvedNodeKind.items() if name.endswith("_STMT")
    )
    return language


def analyser_options(
    language: options.LanguageOptionsProto, parameters: Mapping[str, str]
) -> options.AnalyzerOptionsProto:
    analyser = options.AnalyzerOptionsProto(
        language_options=language,
        default_timezone="UTC",
        error_message_mode=public.ERROR_MESSAGE_ONE_LINE,
        prune_unused_columns=False,
        parse_location_record_type=public.PARSE_LOCATION_RECORD_FULL_NODE_SCOPE,
    )
    if parameters and all(_POSITION.fullmatch(name) for name in parameters):
        analyser.parameter_mode = public.PARAMETER_POSITIONAL
        for name in sorted(parameters, key=lambda name: int(name[1:])):
            analyser.positional_query_parameters.append(type_proto(parameters[name]))
    else:
        for name, type_text in parameters.items():
            analyser.query_parameters.add(name=name.lower(), type=type_proto(type_text))
    allowed = analyser.allowed_hints_and_options
    allowed.disallow_unknown_options = True
    for name, option_type in _TABLE_OPTIONS.items():
        option = allowed.option.add(name=name)
        if option_type:
            option.type.CopyFrom(type_proto(option_type))
    return analyser


def simple_catalog(
    language: options.LanguageOptionsProto,
    tables: Mapping[str, Sequence[tuple[str, str]]],
    projects: Iterable[str] = (),
) -> catalog.SimpleCatalogProto:
    root = catalog.SimpleCatalogProto(name="root")
    root.builtin_function_options.language_options.CopyFrom(language)
    for path, columns in tables.items():
        *above, name = path.split(".")
        table = simple_table.SimpleTableProto(name=name, full_name=path)
        table.column.extend(
            simple_table.SimpleColumnProto(name=column, type=type_proto(type_text))
            for column, type_text in columns
        )
        if above:
            _inside(root, above).table.append(table)
        # A path in one pair of back-quotes is one name.
        for quoted in (path, *(f"{project}.{path}" for project in projects)):
            root.table.add().CopyFrom(table)
            root.table[-1].name = quoted
    datasets = list(root.catalog)
    for project in projects:
        root.catalog.add(name=project).catalog.extend(datasets)
    return root


def _inside(root: catalog.SimpleCatalogProto, path: Iterable[str]) -> catalog.SimpleCatalogProto:
    for name in path:
        found = next((each for each in root.catalog if each.name == name), None)
        root = found if found is not None else root.catalog.add(name=name)
    return root


def _invalid(text: str) -> InvalidSqlError:
    message = re.sub(r"^Code: \d+, Message: ", "", text).strip()
    place = _PLACE.search(message)
    if not place:
        return InvalidSqlError(1, 1, message)
    return InvalidSqlError(int(place[1]), int(place[2]), message[: place.start()])


def _output_columns(statement: Message) -> tuple[tuple[str, str], ...]:
    """Columns of a query or of a CREATE TABLE; none for any other statement."""
    output = attribute(statement, "output_column_list")
    if output is not None:
        return tuple((each.name, type_name(each.column.type)) for each in output)
    defined = attribute(statement, "column_definition_list") or ()
    return tuple((each.name, type_name(each.type)) for each in defined)


def _calls(statement: Message, sql: str) -> Iterator[Call]:
    """Every function call and cast of the statement."""
    for node in walk(statement):
        if kind(node) == "Cast":
            name, arguments = "$cast", [attribute(node, "expr")]
        else:
            name, arguments = function_name(node), attribute(node, "argument_list")
        if name:
            line, column = place(sql, offset(node))
            yield Call(
                name=name,
                result_type=type_name(attribute(node, "type")),
                argument_types=tuple(
                    type_name(attribute(innermost(each), "type")) for each in arguments
                ),
                line=line,
                column=column,
            )
