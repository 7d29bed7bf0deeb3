"""What dbt works out anew for each node, worked out once: half of what a small house costs.

A build of a few hundred events is a few hundred nodes, and of each dbt compiles templates that it
has compiled before, makes an object of every macro there is, and describes events that nobody
reads. Here the same comes out of it, sooner. Only the server of houses does so: `House.dbt_alone`
and `make demo` run dbt as it is.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any


def take_shortcuts() -> None:
    """From here on dbt in this process, and in those forked from it, takes them."""
    _keep_templates()
    _flatten_macros()
    _keep_date_parsers()
    _leave_out_debug_events()
    _keep_contexts()
    _keep_connections()
    _write_no_sql()


def compile_templates(manifest: Any) -> None:
    """Compile what builds of `manifest` will ask for, so that no process forked later has to."""
    from dbt_common.clients import jinja

    environment = jinja.get_environment()
    for macro in manifest.macros.values():
        jinja.template_cache.get_node_template(macro)
    for node in manifest.nodes.values():
        hooks = getattr(node.config, "pre_hook", []) + getattr(node.config, "post_hook", [])
        for text in (node.raw_code, *(hook.sql for hook in hooks)):
            if text:
                environment.compile(text)
    _render_arguments(manifest)


def _render_arguments(manifest: Any) -> None:
    """What data tests are given is rendered for each of them; plain text dbt remembers."""
    from dbt.clients import jinja
    from dbt_common.clients.jinja import get_environment

    environment = get_environment(native=True)

    def render(value: Any) -> None:
        if isinstance(value, str) and "{" in value:
            environment.compile(value)
        elif isinstance(value, str):
            jinja.get_rendered(value, {}, native=True)
        elif isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                render(part)

    for node in manifest.nodes.values():
        render(getattr(getattr(node, "test_metadata", None), "kwargs", None))


def _keep_templates() -> None:
    """The code of a template is kept by its text and the kind of its environment."""
    import jinja2
    from dbt_common.clients import jinja

    kept: dict[tuple, Any] = {}

    def compile_once(environment: Any, source: Any, *more: Any, **others: Any) -> Any:
        if more or others or not isinstance(source, str):
            return compile_anew(environment, source, *more, **others)
        is_plain = environment.undefined is jinja2.Undefined
        key = (type(environment), is_plain, source)
        if key not in kept:
            kept[key] = compile_anew(environment, source)
        return kept[key]

    compile_anew = jinja2.Environment.compile
    for kind in (jinja.MacroFuzzEnvironment, jinja.NativeSandboxEnvironment):
        kind.compile = compile_once


def _flatten_macros() -> None:
    """Macros of a node's context are made without a search of all packages for each name."""
    from dbt.clients.jinja import MacroGenerator
    from dbt.context import macros
    from dbt.context.base import BaseContext
    from dbt.context.manifest import ManifestContext
    from dbt.include.global_project import PROJECT_NAME

    states: dict[str, dict[str, Any]] = {}

    def own_state(unique_id: str, macro: Any) -> dict[str, Any]:
        state = states.get(unique_id)
        if state is None or state["macro"] is not macro:
            state = states[unique_id] = {"macro": macro}
        return state

    def build_namespace(builder: Any, macros_by_package: dict, context: dict) -> Any:
        # What all macros of a context share is said once, by a class of their own.
        shared = {"context": context, "node": builder.node, "stack": builder.thread_ctx}
        kind = type("BoundMacro", (MacroGenerator,), shared)
        new = kind.__new__

        def make(macro: Any) -> Any:
            made = new(kind)
            made.__dict__ = own_state(macro.unique_id, macro)
            return made

        internal, packages = {}, {}
        for package, own in macros_by_package.items():
            is_internal = package in builder.internal_package_names
            into = internal if is_internal else packages
            into[package] = {name: make(macro) for name, macro in own.items()}
        project: dict[str, Any] = {}
        for package in reversed(builder.internal_package_names_order):
            project.update(internal.get(package, {}))
        search, root = builder.search_package, builder.root_package
        return macros.MacroNamespace(
            global_namespace=packages.get(root, {}) if root != search else {},
            local_namespace=packages.get(search, {}),
            global_project_namespace=project,
            packages=packages,
        )

    def to_dict(context: Any) -> dict[str, Any]:
        found = context.namespace
        if not isinstance(found, macros.MacroNamespace):
            return to_dict_by_search(context)
        made = BaseContext.to_dict(context)
        # What is searched first is put in last.
        made.update(found.global_project_namespace)
        made[PROJECT_NAME] = found.global_project_namespace
        made.update(found.packages)
        made.update(found.global_namespace)
        made.update(found.local_namespace)
        return made

    to_dict_by_search = ManifestContext.to_dict
    macros.MacroNamespaceBuilder.build_namespace = build_namespace
    ManifestContext.to_dict = to_dict


def _keep_date_parsers() -> None:
    """Each table that dbt makes of a result makes the words of dates in a language anew."""
    import parsedatetime

    parsedatetime.Constants = cache(parsedatetime.Constants)


def _leave_out_debug_events() -> None:
    """dbt writes out each event before it asks whether anybody reads it."""
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    unread = (EventLevel.DEBUG, EventLevel.TEST)
    fire = EventManager.fire_event
    fill = BaseEvent.__init__

    @cache
    def is_debug(kind: type) -> bool:
        # Of what says no level of its own the level is said where it is fired.
        says_none = kind.level_tag is BaseEvent.level_tag
        return not says_none and kind.level_tag(kind.__new__(kind)) in unread

    def __init__(event: Any, *arguments: Any, **named: Any) -> None:
        if is_debug(type(event)):
            event.pb_msg = getattr(event.PROTO_TYPES_MODULE, type(event).__name__)()
        else:
            fill(event, *arguments, **named)

    def fire_event(manager: Any, e: Any, level: Any = None, *more: Any, **others: Any) -> None:
        if (level or e.level_tag()) not in unread or others.get("force_warn_or_error_handling"):
            fire(manager, e, level, *more, **others)

    BaseEvent.__init__ = __init__
    EventManager.fire_event = fire_event


def _keep_contexts() -> None:
    """What a node is compiled in it is run in, and what the adapter asks macros for it asks in one
    context a thread: to make one takes longer than what is asked for."""
    from dbt import compilation
    from dbt.adapters.base import impl
    from dbt.context import providers
    from dbt.task import run, test

    kept = threading.local()

    def compile_in(node: Any, config: Any, manifest: Any) -> dict[str, Any]:
        provider = providers.RuntimeProvider()
        maker = providers.ModelContext(node, config, manifest, provider, None)
        made = maker.to_dict()
        kept.compiled = (node, manifest, maker, made)
        return made

    def run_in(node: Any, config: Any, manifest: Any) -> dict[str, Any]:
        compiled, kept.compiled = getattr(kept, "compiled", None), None
        if compiled is None or compiled[0] is not node or compiled[1] is not manifest:
            return make_anew(node, config, manifest)
        _, _, maker, made = compiled
        # What compiling has found out.
        made["model"] = maker.ctx_model
        made["compiled_code"] = maker.compiled_code
        made["sql"] = maker.sql
        return made

    def set_generator(adapter: Any, generate: Any) -> None:
        # A context holds the adapter that it was made for: a second command has another.
        own = threading.local()

        def generate_once(macro: Any, config: Any, manifest: Any, package: Any) -> dict[str, Any]:
            contexts = own.__dict__.setdefault("contexts", {})
            key = (macro.unique_id, package)
            if key not in contexts or contexts[key][0] is not manifest:
                contexts[key] = (manifest, generate(macro, config, manifest, package))
            return contexts[key][1]

        set_anew(adapter, generate_once)

    make_anew = providers.generate_runtime_model_context
    compilation.generate_runtime_model_context = compile_in
    run.generate_runtime_model_context = test.generate_runtime_model_context = run_in
    set_anew = impl.BaseAdapter.set_macro_context_generator
    impl.BaseAdapter.set_macro_context_generator = set_generator


def _keep_connections() -> None:
    """dbt connects to PostgreSQL anew for each node, and the server finds out anew about every
    table. Here a node takes a session that another has done with, in the state of a new one."""
    import psycopg2
    from dbt.adapters.postgres import connections

    idle: dict[str, list[Any]] = {}

    class Kept(psycopg2.extensions.connection):
        """One that is not closed but kept, unless it is broken."""

        key = ""

        def close(self) -> None:
            try:
                self.rollback()
                self.autocommit = True
                with self.cursor() as cursor:
                    cursor.execute("discard all")
                self.autocommit = False
            except psycopg2.Error:
                super().close()
            else:
                idle.setdefault(self.key, []).append(self)

    class Psycopg2:
        def __getattr__(self, name: str) -> Any:
            return getattr(psycopg2, name)

        @staticmethod
        def connect(**words: Any) -> Any:
            # A process that was forked has none of its parent's.
            key = repr((os.getpid(), sorted(words.items())))
            try:
                return idle.get(key, []).pop()
            except IndexError:
                made = psycopg2.connect(**words, connection_factory=Kept)
                made.key = key
                return made

    connections.psycopg2 = Psycopg2()


def _write_no_sql() -> None:
    """No test reads the SQL of nodes as files; and no log is so long that it is begun anew."""
    from logging.handlers import RotatingFileHandler

    from dbt.contracts.graph.nodes import ParsedNode

    ParsedNode.write_node = lambda *_: None
    RotatingFileHandler.shouldRollover = lambda *_: 0
