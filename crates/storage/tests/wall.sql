-- One line per privilege that a role other than the owner holds, per membership, per attribute, per owned object.
WITH schemas AS (
    SELECT oid, nspname, nspacl, nspowner
    FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
),
grants AS (
    SELECT 'database' AS object, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = current_database() AND a.grantee <> d.datdba
    UNION ALL
    SELECT 'schema ' || nspname, a.grantee, a.privilege_type, a.is_grantable
    FROM schemas, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
    WHERE a.grantee <> nspowner AND a.grantee <> 'pg_database_owner'::regrole
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' ELSE 'table ' END || c.oid::regclass, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_class c
    JOIN schemas s ON s.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE a.grantee <> c.relowner
    UNION ALL
    SELECT 'column ' || c.oid::regclass || '.' || t.attname, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_attribute t
    JOIN pg_class c ON c.oid = t.attrelid
    JOIN schemas s ON s.oid = c.relnamespace, aclexplode(t.attacl) a
    WHERE a.grantee <> c.relowner
    UNION ALL
    SELECT 'function ' || p.oid::regprocedure || CASE WHEN p.prosecdef THEN ' (security definer)' ELSE '' END, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_proc p
    JOIN schemas s ON s.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE a.grantee <> p.proowner
    UNION ALL
    SELECT 'function of PostgreSQL ' || p.oid::regprocedure, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_proc p, aclexplode(p.proacl) a
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND a.grantee IN ('referee_api'::regrole, 'referee_scorer'::regrole, 'referee_inference'::regrole)
    UNION ALL
    SELECT 'default ' || d.defaclobjtype::text, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_default_acl d, aclexplode(d.defaclacl) a
),
lines AS (
    SELECT format('%s: %s may %s%s', object,
                  CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                  string_agg(privilege_type, ', ' ORDER BY privilege_type),
                  CASE WHEN bool_or(is_grantable) THEN ' (grantable)' ELSE '' END) AS line
    FROM grants
    GROUP BY object, grantee
    UNION ALL
    SELECT format('policy %s on %s: %s to %s using %s check %s', polname, polrelid::regclass, polcmd, polroles::regrole[],
                  pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy
    UNION ALL
    SELECT format('membership: %s in %s', member::regrole, roleid::regrole)
    FROM pg_auth_members
    WHERE member::regrole::text LIKE 'referee\_%'
    UNION ALL
    SELECT format('role %s: superuser %s, createdb %s, createrole %s, replication %s, bypassrls %s, login %s',
                  rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin)
    FROM pg_roles
    WHERE rolname IN ('referee_api', 'referee_scorer', 'referee_inference')
    UNION ALL
    SELECT format('owner of a %s: %s', kind, owner::regrole)
    FROM (
        SELECT 'relation' AS kind, c.relowner AS owner FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
        UNION SELECT 'function', p.proowner FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
        UNION SELECT 'type', t.typowner FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
        UNION SELECT 'schema', nspowner FROM schemas
        UNION SELECT 'database', datdba FROM pg_database WHERE datname = current_database()
    ) owners
)
SELECT line FROM lines ORDER BY line COLLATE "C"
