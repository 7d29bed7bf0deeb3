{#
    PostgreSQL: the functions by which a build is published, in the schema `pinned`.

    A published view is its mart as it is, but for what it reads: of each relation the last published
    state. So no reader meets a table that a run is making again, and none holds a run up.

    a view                a view of the same definition over pinned relations
    a table of the ledger a view of its rows up to the published seal (it only grows, and stays)
    exports               itself: what was exported is of no build
    any other table       a copy. What is incremental is copied by the windows that runs have replaced
                          since the last publish (`note_window`), any other by the rows that differ.

    The copies are changed by deletes and inserts in one transaction with the pointer: a reader in the
    midst of a long one goes on seeing the build that it began with. Nothing is dropped or made anew
    but where a mart's own columns or definition changed (a release, a first meter of its kind), and
    that waits a minute for readers.
#}
{% macro create_publishing_functions() -%}
    {%- set pinned = pinned_schema() -%}
    {%- set published = published_schema() -%}
    {{ function_of_sources() }}
    {{ function_of_copies() }}
    create or replace function {{ pinned }}.pin_build(run_id text, marts text[])
    returns void language plpgsql
    set search_path = pg_catalog set lock_timeout = '60s' as $body$
    declare
        source record;
        mart text;
        text_of_view text;
    begin
        -- Until the end of this transaction no other run begins.
        perform {{ var("schema_prefix", "") }}builds.continue_run(run_id);
        perform {{ pinned }}.drop_what_is_no_longer_read(marts);
        for source in
            select * from {{ pinned }}.sources_of(marts) as sources
            order by sources.depth desc, sources.relation
        loop
            if source.kind = 'table' then
                perform {{ pinned }}.pin_table(
                    source.relation_oid, source.relation, source.pinned_name
                );
                text_of_view := null;
            elsif source.kind = 'ledger' then
                text_of_view := {{ pinned }}.sealed_rows(source.relation_oid);
            elsif source.kind = 'view' then
                text_of_view := {{ pinned }}.pinned_definition(source.relation_oid);
            else
                continue;
            end if;
            perform {{ pinned }}.pin_view(source.pinned_name, text_of_view);
            insert into {{ pinned }}.relations
            values (
                source.relation, source.pinned_name, source.kind, source.relation_oid, text_of_view
            )
            on conflict (relation) do update
            set
                kind = excluded.kind,
                relation_oid = excluded.relation_oid,
                definition = excluded.definition;
        end loop;
        foreach mart in array marts loop
            perform {{ pinned }}.publish_mart(mart);
        end loop;
        for mart in
            select views.viewname from pg_views as views
            where views.schemaname = '{{ published }}' and views.viewname <> all (marts)
        loop
            execute format('drop view {{ published }}.%I', mart);
        end loop;
        delete from {{ pinned }}.windows;
    end
    $body$;
{%- endmacro %}

{# What the published marts are made of, and how views are made over it. #}
{% macro function_of_sources() -%}
    {%- set pinned = pinned_schema() -%}
    {%- set published = published_schema() -%}
    {%- set marts = var("schema_prefix", "") ~ "marts" -%}
    create or replace function {{ pinned }}.reads_of(view_oid oid) returns setof oid
    language sql stable set search_path = pg_catalog as $body$
        select distinct pg_depend.refobjid
        from pg_depend
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
        where
            pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.refclassid = 'pg_class'::regclass
            and pg_rewrite.ev_class = view_oid
            and pg_depend.refobjid <> view_oid
    $body$;
    create or replace function {{ pinned }}.sources_of(marts text[])
    returns table (
        relation_oid oid, relation text, pinned_name text, kind text, depth integer
    )
    language sql stable set search_path = pg_catalog as $body$
        with recursive walk as (
            select
                cast(cast(format('{{ marts }}.%I', marts.name) as regclass) as oid) as relation_oid,
                0 as depth
            from unnest(marts) as marts (name)
            union
            select
                reads.relation_oid,
                walk.depth + 1
            from walk
            cross join lateral {{ pinned }}.reads_of(walk.relation_oid) as reads (relation_oid)
        )
        select
            pg_class.oid,
            pg_namespace.nspname || '.' || pg_class.relname,
            substr(pg_namespace.nspname, {{ var("schema_prefix", "") | length + 1 }})
            || '__' || pg_class.relname,
            case
                when pg_class.relkind = 'v' then 'view'
                when pg_namespace.nspname = '{{ ledger_schema() }}' then 'ledger'
                when pg_namespace.nspname = '{{ exports_schema() }}' then 'log'
                else 'table'
            end,
            max(walk.depth)
        from walk
        inner join pg_class on walk.relation_oid = pg_class.oid
        inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
        group by
            pg_class.oid,
            pg_namespace.nspname,
            pg_class.relname,
            pg_class.relkind
    $body$;
    -- And what was a table and is a view now, or the other way; all that reads it is made again.
    create or replace function {{ pinned }}.drop_what_is_no_longer_read(marts text[]) returns void
    language plpgsql set search_path = pg_catalog as $body$
    declare
        gone record;
    begin
        for gone in
            select
                relations.relation,
                relations.pinned_name,
                case when relations.kind = 'table' then 'table' else 'view' end as kind
            from {{ pinned }}.relations as relations
            left join {{ pinned }}.sources_of(marts) as sources
                on
                    relations.relation = sources.relation
                    and (relations.kind = 'table') = (sources.kind = 'table')
            where sources.relation is null
        loop
            execute format('drop %s if exists {{ pinned }}.%I cascade', gone.kind, gone.pinned_name);
            delete from {{ pinned }}.relations where relation = gone.relation;
        end loop;
    end
    $body$;
    create or replace function {{ pinned }}.columns_of(relation_oid oid) returns text
    language sql stable set search_path = pg_catalog as $body$
        select string_agg(
            quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum
        )
        from pg_attribute
        where attrelid = relation_oid and attnum > 0 and not attisdropped
    $body$;
    create or replace function {{ pinned }}.names_of(relation_oid oid) returns text
    language sql stable set search_path = pg_catalog as $body$
        select string_agg(quote_ident(attname), ', ' order by attnum)
        from pg_attribute
        where attrelid = relation_oid and attnum > 0 and not attisdropped
    $body$;
    -- Each relation that a view reads is named with its schema, and by its own name where it has no
    -- other: so its pinned one takes that name.
    create or replace function {{ pinned }}.pinned_definition(view_oid oid) returns text
    language plpgsql stable set search_path = '' as $body$
    declare
        definition text := pg_catalog.pg_get_viewdef(view_oid);
        source record;
        found text;
        pinned_table text;
    begin
        for source in
            select
                pg_namespace.nspname as room,
                pg_class.relname as name,
                relations.pinned_name
            from {{ pinned }}.reads_of(view_oid) as reads (relation_oid)
            inner join pg_catalog.pg_class on reads.relation_oid = pg_class.oid
            inner join pg_catalog.pg_namespace on pg_class.relnamespace = pg_namespace.oid
            inner join {{ pinned }}.relations as relations
                on pg_namespace.nspname || '.' || pg_class.relname = relations.relation
        loop
            found := '(?<![\w".])' || regexp_replace(
                format('%I.%I', source.room, source.name), '([.$])', '\\\1', 'g'
            ) || '(?![\w"])';
            pinned_table := format('{{ pinned }}.%I', source.pinned_name);
            definition := regexp_replace(
                definition,
                found || '(?! [a-z_"])',
                pinned_table || ' ' || quote_ident(source.name),
                'g'
            );
            definition := regexp_replace(definition, found, pinned_table, 'g');
        end loop;
        return definition;
    end
    $body$;
    create or replace function {{ pinned }}.sealed_rows(table_oid oid) returns text
    language plpgsql stable set search_path = pg_catalog as $body$
    declare
        limits text;
    begin
        select case attname
            when 'cutoff_at' then 'cutoff_at <= current_build.sealed_until'
            when 'sealed_until' then 'posted.sealed_until <= current_build.sealed_until'
            else attname || ' < cast(current_build.sealed_until as date)'
        end into limits
        from pg_attribute
        where
            attrelid = table_oid
            and attname in (
                'cutoff_at', 'sealed_until', 'posted_date', 'balance_date', 'load_day'
            );
        if limits is null then
            raise exception '%: expected a column that says when it was sealed',
                cast(table_oid as regclass);
        end if;
        return format(
            'select %s from %s as posted where %s',
            (
                select string_agg('posted.' || quote_ident(attname), ', ' order by attnum)
                from pg_attribute
                where attrelid = table_oid and attnum > 0 and not attisdropped
            ),
            cast(table_oid as regclass),
            replace(
                limits,
                'current_build.sealed_until',
                '(select current_build.sealed_until from {{ pinned }}.current_build)'
            )
        );
    end
    $body$;
    create or replace function {{ pinned }}.pin_view(name text, text_of_view text) returns void
    language plpgsql set search_path = pg_catalog as $body$
    declare
        full_name text := format('{{ pinned }}.%I', name);
    begin
        if text_of_view is null or to_regclass(full_name) is not null and exists (
            select 1 from {{ pinned }}.relations
            where pinned_name = name and definition = text_of_view
        ) then
            return;
        end if;
        begin
            execute format('create or replace view %s as %s', full_name, text_of_view);
        exception when invalid_table_definition then
            -- With those that read it; they are made again after it.
            execute format('drop view %s cascade', full_name);
            execute format('create view %s as %s', full_name, text_of_view);
        end;
    end
    $body$;
    create or replace function {{ pinned }}.publish_mart(mart text) returns void
    language plpgsql set search_path = pg_catalog as $body$
    declare
        pinned_mart oid := to_regclass(format('{{ pinned }}.%I', 'marts__' || mart));
        view_oid oid := to_regclass(format('{{ published }}.%I', mart));
    begin
        if
            {{ pinned }}.columns_of(view_oid)
            = {{ pinned }}.columns_of(pinned_mart) || ', build_id {{ type_count() }}'
        then
            return;
        end if;
        if view_oid is not null then
            execute format('drop view {{ published }}.%I', mart);
        end if;
        execute format(
            'create view {{ published }}.%I as select mart.*, current_build.build_id'
            ' from {{ pinned }}.%I as mart cross join {{ pinned }}.current_build',
            mart, 'marts__' || mart
        );
    end
    $body$;
{%- endmacro %}

{# A table's copy, made or brought up to date. #}
{% macro function_of_copies() -%}
    {%- set pinned = pinned_schema() -%}
    -- Of all rows, whatever their order.
    create or replace function {{ pinned }}.digest_of(name text) returns text
    language plpgsql stable set search_path = pg_catalog as $body$
    declare
        found text;
    begin
        execute format(
            'select concat_ws('' '', count(*), sum(hash_record_extended(row(made.*), 0)),'
            ' sum(hash_record_extended(row(made.*), 1))) from %s as made',
            name
        ) into found;
        return found;
    end
    $body$;
    create or replace function {{ pinned }}.pin_table(
        table_oid oid, source_relation text, name text
    )
    returns void language plpgsql set search_path = pg_catalog as $body$
    declare
        source_table text := cast(cast(table_oid as regclass) as text);
        copy text := format('{{ pinned }}.%I', name);
        names text := {{ pinned }}.names_of(table_oid);
        replaced text;
        found text;
    begin
        if
            to_regclass(copy) is not null
            and {{ pinned }}.columns_of(table_oid) <> {{ pinned }}.columns_of(to_regclass(copy))
        then
            execute format('drop table %s cascade', copy);
        end if;
        if to_regclass(copy) is null then
            execute format('create table %s (like %s including indexes)', copy, source_table);
            execute format('insert into %s select %s from %s', copy, names, source_table);
            execute format('analyze %s', copy);
            return;
        end if;
        -- What was not made anew since has changed in these windows alone.
        if exists (
            select 1 from {{ pinned }}.relations
            where relation = source_relation and relation_oid = table_oid
        ) then
            select string_agg(distinct '(' || condition || ')', ' or ') into replaced
            from {{ pinned }}.windows
            where relation = source_relation;
            if replaced is not null then
                execute format('delete from %s where %s', copy, replaced);
                execute format(
                    'insert into %s select %s from %s where %s', copy, names, source_table, replaced
                );
                return;
            end if;
        end if;
        found := {{ pinned }}.digest_of(source_table);
        if found = {{ pinned }}.digest_of(copy) then
            return;
        end if;
        execute format(
            'delete from %1$s as copied where not exists ('
            ' select 1 from %2$s as made where cast(made as text) = cast(copied as text))',
            copy, source_table
        );
        execute format(
            'insert into %1$s select %2$s from %3$s except all select %2$s from %1$s',
            copy, names, source_table
        );
        -- Rows that are there twice may have been there three times.
        if found <> {{ pinned }}.digest_of(copy) then
            execute format('delete from %s', copy);
            execute format('insert into %s select %s from %s', copy, names, source_table);
        end if;
    end
    $body$;
{%- endmacro %}
