-- A volume of the first version that had a fleet, as pg_dump wrote it: made by that version's own gateway, worker and mcp-proxy. Its keys are
-- made up ("cex_made-up-key-of-an-older-agent-", filled up with zeros to 47 characters; operator, revoked, admin likewise), as are its seal key
-- (0123456789abcdef, four times) and what is sealed. One execution was running when its worker died, one was still queued.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE FUNCTION public.executions_room(of_workspace text, share integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
        begin
          perform pg_advisory_xact_lock(hashtextextended('executions of ' || of_workspace, 0));
          return share - (
            select count(*) from executions
            where workspace_id = of_workspace and dispatched_at is not null and ended_at is null
          );
        end $$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.api_keys (
    id text NOT NULL,
    workspace_id text NOT NULL,
    digest text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    created_by text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);

CREATE TABLE public.catalog_tools (
    workspace_id text NOT NULL,
    server text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,
    digest text NOT NULL,
    "position" integer NOT NULL,
    present boolean NOT NULL,
    drifted_at timestamp with time zone,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.execution_result_parts (
    execution_id text NOT NULL,
    token integer NOT NULL,
    part integer NOT NULL,
    text text NOT NULL
);
ALTER TABLE ONLY public.execution_result_parts ALTER COLUMN text SET STORAGE EXTERNAL;

CREATE TABLE public.executions (
    id text NOT NULL,
    workspace_id text NOT NULL,
    principal_id text NOT NULL,
    request_id text NOT NULL,
    status text NOT NULL,
    token integer NOT NULL,
    worker_id text,
    language text NOT NULL,
    code text NOT NULL,
    args_json text NOT NULL,
    files_json text,
    timeout_ms integer NOT NULL,
    typecheck boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    output text DEFAULT ''::text NOT NULL,
    result_json text,
    result_parts integer DEFAULT 0 NOT NULL,
    error_json text,
    execution_ms double precision DEFAULT 0 NOT NULL,
    truncated boolean DEFAULT false NOT NULL,
    dropped_bytes bigint DEFAULT 0 NOT NULL,
    effects text DEFAULT 'not_started'::text NOT NULL,
    tool_calls_json text DEFAULT '[]'::text NOT NULL,
    queue_ms double precision DEFAULT 0 NOT NULL,
    total_ms double precision DEFAULT 0 NOT NULL,
    warm boolean DEFAULT false NOT NULL,
    output_bytes bigint DEFAULT 0 NOT NULL,
    output_tokens integer DEFAULT 0 NOT NULL,
    events_json text,
    dispatched_at timestamp with time zone,
    lease_until timestamp with time zone,
    cancel_requested_at timestamp with time zone
);
ALTER TABLE ONLY public.executions ALTER COLUMN code SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.executions ALTER COLUMN files_json SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.executions ALTER COLUMN output SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.executions ALTER COLUMN result_json SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.executions ALTER COLUMN events_json SET STORAGE EXTERNAL;

CREATE TABLE public.executions_migrations (
    name character varying(255) NOT NULL,
    "timestamp" character varying(255) NOT NULL
);

CREATE TABLE public.executions_migrations_lock (
    id character varying(255) NOT NULL,
    is_locked integer DEFAULT 0 NOT NULL
);

CREATE TABLE public.idempotency_keys (
    workspace_id text NOT NULL,
    principal_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    digest text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.integrations (
    workspace_id text NOT NULL,
    slug text NOT NULL,
    kind text NOT NULL,
    definition text NOT NULL,
    sealed_secrets text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.policies (
    id text NOT NULL,
    workspace_id text NOT NULL,
    pattern text NOT NULL,
    action text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT policies_action_check CHECK ((action = ANY (ARRAY['allow'::text, 'require_approval'::text, 'block'::text])))
);

CREATE TABLE public.tool_call_outcomes (
    call_id text NOT NULL,
    outcome text NOT NULL,
    duration_ms double precision NOT NULL,
    reply_bytes integer NOT NULL,
    finished_at timestamp with time zone NOT NULL
);

CREATE TABLE public.tool_calls (
    id text NOT NULL,
    workspace_id text NOT NULL,
    principal_id text NOT NULL,
    execution_id text,
    call_number integer,
    server text NOT NULL,
    tool text NOT NULL,
    argument_digest text NOT NULL,
    idempotency_key text NOT NULL,
    decision text NOT NULL,
    dispatched_at timestamp with time zone NOT NULL,
    read_only boolean DEFAULT false NOT NULL
);

CREATE TABLE public.tools_migrations (
    name character varying(255) NOT NULL,
    "timestamp" character varying(255) NOT NULL
);

CREATE TABLE public.tools_migrations_lock (
    id character varying(255) NOT NULL,
    is_locked integer DEFAULT 0 NOT NULL
);

INSERT INTO public.api_keys VALUES
	('key_01m80bjvdw0te83jqw9wjj9zjb', 'wsp_default', '085e0310f8610c340cf03e3dd5b87a0047530a665627d487986c42f825d37034', 'first admin', 'admin', NULL, '2026-11-22 00:48:01.98+00', NULL, NULL),
	('key_01m80bjxmr0f2g65c3ysk0h4t7', 'wsp_default', 'bd0b2e1a1bc5dca0be49a26e3f44c277b79abb8433f48413fe1e77b5eaf12cc4', 'agent of old', 'agent', 'key_01m80bjvdw0te83jqw9wjj9zjb', '2026-11-22 00:48:04.248+00', NULL, NULL),
	('key_01m80bjxnaa90mn9g51pnf3whh', 'wsp_default', '9b229e8fc25932d242759d76e1b55bbcb98949ed3486529ae4df9ca35112c170', 'operator of old', 'operator', 'key_01m80bjvdw0te83jqw9wjj9zjb', '2026-11-22 00:48:04.266+00', NULL, NULL),
	('key_01m80bjxnr1r4qn2y2zq28xbqv', 'wsp_default', '3d6801adf1fbedad38c99ee1512f11a507a1d76a1b01eb8e9635571a28719bca', 'revoked', 'agent', 'key_01m80bjvdw0te83jqw9wjj9zjb', '2026-11-22 00:48:04.28+00', NULL, '2026-11-22 00:48:04.513+00');

INSERT INTO public.catalog_tools VALUES
	('wsp_default', 'sealed', 'echo', '{"server":"sealed","name":"echo","description":"Says it again","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}', 'eb218751ddcd0d2f7ee5121074fb1cd483ce24a761f2ab73510fc385446d6742', 0, true, NULL, '2026-11-22 00:48:04.836+00'),
	('wsp_default', 'sealed', 'look', '{"server":"sealed","name":"look","description":"What this server sees of the place it runs in","inputSchema":{"type":"object","properties":{}}}', '981949e3d3be514e8c145d72cebf4e6c651f84adcc1451ee75b9502ac5e4b22c', 1, true, NULL, '2026-11-22 00:48:04.836+00');

INSERT INTO public.executions VALUES
	('exe_01m80bjxd8n83xe0p5s5tsj0n4', 'wsp_default', 'key_01m80bjvdw0te83jqw9wjj9zjb', 'req_01m80bjxd5bf9yngne8p5k8hrn', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'typescript', 'import { listServers } from ''/workspace/servers/discovery.js'';
const servers = await listServers();
let primes = 0;
for (let n = 2; n < 100_000; n++) {
  let prime = true;
  for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
  if (prime) primes++;
}
console.log(`Hello from TypeScript on Bun ${process.versions.bun}: ${primes} primes below 100,000; ${servers.length} MCP servers in reach.`);
return primes;', '{}', NULL, 30000, false, '2026-11-22 00:48:04.008+00', '2026-11-22 00:48:04.028266+00', '2026-11-22 00:48:04.086+00', 'Hello from TypeScript on Bun 1.4.5: 9592 primes below 100,000; 0 MCP servers in reach.
', '9592', 0, NULL, 33.654, false, 0, 'none', '[]', 28.225, 78.131, true, 87, 30, '[["s","queued",1795308484008],["s","running",1795308484036],87]', '2026-11-22 00:48:04.015236+00', '2026-11-22 00:48:08.028266+00', NULL),
	('exe_01m80bjxgrjzey19g7n3x78gtx', 'wsp_default', 'key_01m80bjvdw0te83jqw9wjj9zjb', 'req_01m80bjxgqjvj0wva3w60h7w8g', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'python', 'import platform
print(f"Hello from Python {platform.python_version()}: 2**64 = {2**64}.")', '{}', NULL, 30000, false, '2026-11-22 00:48:04.12+00', '2026-11-22 00:48:04.129245+00', '2026-11-22 00:48:04.148+00', 'Hello from Python 3.11.2: 2**64 = 18446744073709551616.
', NULL, 0, NULL, 15.138, false, 0, 'none', '[]', 11.049, 27.802, true, 56, 24, '[["s","queued",1795308484120],["s","running",1795308484131],56]', '2026-11-22 00:48:04.122569+00', '2026-11-22 00:48:08.129245+00', NULL),
	('exe_01m80bk0ygqd0th4kn5ccz15h5', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk0yggnhktm3hzafbsp7f', 'failed', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'python', 'raise ValueError(1)', '{}', NULL, 30000, false, '2026-11-22 00:48:07.632+00', '2026-11-22 00:48:07.640248+00', '2026-11-22 00:48:07.646+00', '', NULL, 0, '{"code":"UNCAUGHT","message":"ValueError: 1","line":1,"column":1,"stack":"ValueError: 1\n    at (main.py:1:1)"}', 1.937, false, 0, 'none', '[]', 11.054, 13.581, true, 0, 0, '[["s","queued",1795308487632],["s","running",1795308487643]]', '2026-11-22 00:48:07.633981+00', '2026-11-22 00:48:11.640248+00', NULL),
	('exe_01m80bk0mc0xzf3hv2vpgncd3v', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk0mb9k4d1sp06h42vhqm', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'python', '6 * 7', '{}', NULL, 30000, false, '2026-11-22 00:48:07.308+00', '2026-11-22 00:48:07.324121+00', '2026-11-22 00:48:07.33+00', '', '42', 0, NULL, 2.217, false, 0, 'none', '[]', 19.063, 22.014, true, 0, 0, '[["s","queued",1795308487308],["s","running",1795308487327]]', '2026-11-22 00:48:07.309491+00', '2026-11-22 00:48:11.324122+00', NULL),
	('exe_01m80bk0pjv7jdpmjjq71ga98b', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk0phhaa73a9421y01s6z', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'typescript', 'return await tools.sealed.look({})', '{}', NULL, 30000, false, '2026-11-22 00:48:07.378+00', '2026-11-22 00:48:07.395111+00', '2026-11-22 00:48:07.512+00', '', '{"token":"fcea877e95b4aa9e8a4e92731f7a8799be58aeb0f4302d8f448c1d7eb70a2685","names":["HOME","LANG","PATH","PWD","TMPDIR","TOKEN"],"secrets":[]}', 0, NULL, 92.908, false, 0, 'some', '[{"tool":"sealed.look","outcome":"ok","durationMs":76.18}]', 32.069, 133.61, true, 0, 0, '[["s","queued",1795308487378],["s","running",1795308487410],["t","sealed.look","ok",76.18]]', '2026-11-22 00:48:07.382674+00', '2026-11-22 00:48:11.395111+00', NULL),
	('exe_01m80bk265s36cgrekqc46wgw8', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk263c1wfr7arxq5083zg', 'running', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'typescript', 'await tools.sealed.look({}); await new Promise((wake) => setTimeout(wake, 200_000))', '{}', NULL, 250000, false, '2026-11-22 00:48:08.901+00', '2026-11-22 00:48:08.965646+00', NULL, '', NULL, 0, NULL, 0, false, 0, 'not_started', '[]', 0, 0, false, 0, 0, NULL, '2026-11-22 00:48:08.908971+00', '2026-11-22 00:48:14.810641+00', NULL),
	('exe_01m80bk0w8k8jrxxw8rtwn7k60', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk0w3q532kqp9bddr18h4', 'failed', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'typescript', 'return await tools.sealed.echo({text:"x"})', '{}', NULL, 30000, false, '2026-11-22 00:48:07.56+00', '2026-11-22 00:48:07.585759+00', '2026-11-22 00:48:07.601+00', '', NULL, 0, '{"code":"UNCAUGHT","message":"ToolError TOOL_BLOCKED: sealed.echo is blocked by the operator (policy sealed.echo)","line":1,"column":27,"stack":"ToolError TOOL_BLOCKED: sealed.echo is blocked by the operator (policy sealed.echo)\n    at (main.ts:1:27)"}', 11.244, false, 0, 'none', '[{"tool":"sealed.echo","outcome":"TOOL_BLOCKED","durationMs":5.173}]', 28.065, 41.579, true, 0, 0, '[["s","queued",1795308487560],["s","running",1795308487588],["t","sealed.echo","TOOL_BLOCKED",5.173]]', '2026-11-22 00:48:07.567962+00', '2026-11-22 00:48:11.585759+00', NULL),
	('exe_01m80bk514gm2j5xkeww7fx5tz', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk514mw6fw8tf5pkfe5r0', 'queued', 0, NULL, 'python', '2 + 2', '{}', NULL, 30000, false, '2026-11-22 00:48:11.812+00', NULL, NULL, '', NULL, 0, NULL, 0, false, 0, 'not_started', '[]', 0, 0, false, 0, 0, NULL, '2026-11-22 00:48:11.830292+00', NULL, NULL),
	('exe_01m80bk1153emnxgz2fs0ja94f', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk1147x9y1axdh8ety01g', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'python', '"x" * 1100000', '{}', NULL, 30000, false, '2026-11-22 00:48:07.717+00', '2026-11-22 00:48:07.74632+00', '2026-11-22 00:48:07.871+00', '', '"xxxxx"', 0, NULL, 89.157, false, 0, 'none', '[]', 58.067, 154.407, true, 0, 0, '[["s","queued",1795308487717],["s","running",1795308487775]]', '2026-11-22 00:48:07.718779+00', '2026-11-22 00:48:11.855971+00', NULL),
	('exe_01m80bk1krmqespvg9kksad1qw', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'req_01m80bk1kker9ebhmngzx2069n', 'succeeded', 1, '9e15145fdb6b-7d90eeb8-fbfb', 'python', '1', '{}', NULL, 30000, false, '2026-11-22 00:48:08.312+00', '2026-11-22 00:48:08.337707+00', '2026-11-22 00:48:08.357+00', '', '1', 0, NULL, 13.163, false, 0, 'none', '[]', 29.054, 45.155, true, 0, 0, '[["s","queued",1795308488312],["s","running",1795308488341]]', '2026-11-22 00:48:08.315221+00', '2026-11-22 00:48:12.337707+00', NULL);

INSERT INTO public.executions_migrations VALUES
	('001_executions', '2026-11-22T00:47:52.792Z'),
	('002_api_keys', '2026-11-22T00:47:52.800Z'),
	('003_fleet', '2026-11-22T00:47:52.805Z');

INSERT INTO public.executions_migrations_lock VALUES
	('migration_lock', 0);

INSERT INTO public.idempotency_keys VALUES
	('wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'POST /execute', 'old-1', 'cfd158b15e6974049e6a56fd70c6ad982cf0d7f95b9c9f35a9cebc39b50212bc', 'exe_01m80bk1krmqespvg9kksad1qw', '2026-11-22 00:48:08.312+00');

INSERT INTO public.integrations VALUES
	('wsp_default', 'sealed', 'mcp', '{"slug":"sealed","kind":"mcp","command":"node","trust":true}', 'v1.Idp1V8gDA8BJG2QiUIgzfl4CC0tcykZeKmPZ9XQwwU0No6zb0YmCGFqxpDqaa5m8i_oJglsQExygjpEM5Br80LyN1_cjfOA7fwTCnoVEXpPM91X96jeS9aD9STJWWfTfqz8lk0XtQQDBg2zRESffe4bYTfZD3EaCS0PWr6U6R3GG0-1rYFNynSKLBNxpL3G0D9ZSo0KYFduA5Y9txCx9LI9hyicUGtcsf9cVykxHt0Yssk6bAFu5-oIijRNlb4dln33rpjIiPyWBwZm9wfLMulqXCS4I2twx_vmyOQ3vApPxbFb82q2-Lehjv00EvSN9qMw5NsCeqY98zKzfpcv889wryZ9b-Z38PGFesqc18akeKgfkuDxxa8ZtCfr9KOWY7Zuq1NTb2vgwQZUEuBYUjzUZC-dqyM4dZ6SARRMsMNidgWYrUjKRFDISoOTpbog1dSvxEBobkv1Ew7PYv-oiiqkcxTJbb67Jt-8Vc9ST4KQrR3bUGO8QrVkc6IheotCXcUYMZeIKoxcuC9v4qOq-IoDdMgXdSALJjruPwEMzppdISbVfMQpGGmVFuu3qKKDpau5Mu6goFLTvfpw3eqL1plpPIq-J3fnzoK-UJnIRyVe_BEVqbBBTDoqJqkarEVymQ7_tfwGlNsLrs6QeA73s8Sjdo5WyyUZwpdWHXObhhwwnxCbWlbpH6xq7it1qQabMDXkQJLxpFGIDaJXzQ6gAY25qkqFF24dpun1DH9QsFUL7vfg0dB5RAHx40Q2JL0B83NzGHa72xVEXy7eTZrZkI5urOsAHVjvgRrsYKRZeW9Ca5bv0FDNapvcxMK1c9eL_YcWdW9mzKxgDfgXoWi5cMeK9W2i7w7LuR8FP-By_ZVO4nelTSnc-MAXKWovRQ1mm3g76D6bs66XoeqsOE1Lppnx6I00rbhWPm39BFZlvgVpenOjunRovpS7MYE4Er-1lphvHe3PDs-Ydso4qW7AxyAt4xmgmjiMuIZQfilFdNHR0eef_J5BO7T8yvvkFDBiy-2glkzaCIfDLLlp_juABEMNTvuNSHDctSc10GOYKKQYwCFLK7aBGvtv0JXczIjl_z4-7FAXPKRYBT9SOs3w1XtFx0MyQ0QUbmomsyRSfVdH7Uj7H48V-XEMU8hy29H1dRjk_E9-2kefhlMT5o_uABXy0uOfD7dORAkZGPkmca6S3zhVfelQrwmiYI6emxrFFwmv-Flq-jbWgwccVQQGL3O6h7LoKjHMFWBW8uzJ4-oh9OFYvbFeVFasmRjVE4pMc_sui_-WoGCT5cQgUizQjSBDZlky0Sx4_IcIFwzLn8GFi8vAGFpUWkf2LEX-sUrfxSGoDKbZiEmSWdjVkNIIpwuZG1paQcXeeDlM93A2XUqaZKMwHeP2eZovM3GED6h8Z6X0RrsfXj6Id9AJBrHQyZ6nFXZGApyyCLhsn9-aptzMSb6LBOIzv8GWeRc2jnag47N56ksSq8jfUVNEL9nUQ8MQxMpe3FW0ppJhDm9U7bOvq7K2c_7aPvawMgjZCyNoLAXsBscYYfZk9v9zNoruco4eBOnLZJOdXaMSgjwYhFVj3R04FaHyc5IKtoa_Uv_Jx4lKJWGREf9OXylhb3fqnz-Evec35rPWH6cRy5IndJTohgxhmnch-_JeRk0wPwgtrQbAyxhGnzBZTw-3IN4i5zGnHhF6UO1i14Ltn1KWLCM7oUtWe3qz19GE3SZxY5uc3_ANlxKvQb6YrzYuFHb0AIBVMGt35JWF4Jf3FMDUhHWE8uuQVB6ZQclNQa79Hwu9e3A3Gu8eTtHJ5Xo5cyHyxLtozpOXo7PjP9-Ml4fYSB728iImd4uiCH5VFhu1KBZtXQK5gtWjb3Mo8LJm5R8een41F0K7OIzLxAeOZMZ99RqMv64vBn3sESnmR6xzkTNu-gX_L8wFdizxb8a7QoAM9KaYV9JAkkuaayiOczs1klVSrEnqVxXaqETvw5L7n-Mh3cNpDiZaLcqVuWXHBSImyvYpqi3wCucAwunFwzdxEWIN_HG7Z41sOsJWF', '2026-11-22 00:48:04.562+00');

INSERT INTO public.policies VALUES
	('pol_01m80bjy981r36045akbw3mxqr', 'wsp_default', 'sealed.echo', 'block', '2026-11-22 00:48:04.904+00'),
	('pol_01m80bjyapz6646yakvw0bb4hq', 'wsp_default', 'sealed.look', 'allow', '2026-11-22 00:48:04.95+00');

INSERT INTO public.tool_call_outcomes VALUES
	('tcl_01m80bk0rm7t95qn0gc09f7n0f', 'ok', 20.611125999999786, 143, '2026-11-22 00:48:07.479+00'),
	('tcl_01m80bk0xbkax8kv6hzaymb6px', 'TOOL_BLOCKED', 0, 0, '2026-11-22 00:48:07.598+00'),
	('tcl_01m80bk2910cpg1s9f8rd6mg1d', 'ok', 5.893374999999651, 143, '2026-11-22 00:48:09.009+00');

INSERT INTO public.tool_calls VALUES
	('tcl_01m80bk0rm7t95qn0gc09f7n0f', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'exe_01m80bk0pjv7jdpmjjq71ga98b', 1, 'sealed', 'look', '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 'p63cFZacjfLfG8CgdYD0SME0scMuKgeRUhW0L_7fVfk', 'allow', '2026-11-22 00:48:07.445+00', false),
	('tcl_01m80bk0xbkax8kv6hzaymb6px', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'exe_01m80bk0w8k8jrxxw8rtwn7k60', 1, 'sealed', 'echo', 'fcd1ccec08db6f78a81fee6c26da9e6b8d0d3ba58b4403713fffebcfaa6cf119', 'HBrhBGPJXPlxwmFNaYWO_IiANWlSM94XpLbm6FaibVE', 'block', '2026-11-22 00:48:07.595+00', false),
	('tcl_01m80bk2910cpg1s9f8rd6mg1d', 'wsp_default', 'key_01m80bjxmr0f2g65c3ysk0h4t7', 'exe_01m80bk265s36cgrekqc46wgw8', 1, 'sealed', 'look', '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 'XcFcCh3BcB8aV65Xg0gKsPNr8nK6KS_9ZN-4dX50y80', 'allow', '2026-11-22 00:48:08.993+00', false);

INSERT INTO public.tools_migrations VALUES
	('001_tools', '2026-11-22T00:47:52.877Z'),
	('002_read_only_calls', '2026-11-22T00:47:52.879Z');

INSERT INTO public.tools_migrations_lock VALUES
	('migration_lock', 0);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.catalog_tools
    ADD CONSTRAINT catalog_tools_pkey PRIMARY KEY (workspace_id, server, name);

ALTER TABLE ONLY public.execution_result_parts
    ADD CONSTRAINT execution_result_parts_pkey PRIMARY KEY (execution_id, token, part);

ALTER TABLE ONLY public.executions_migrations_lock
    ADD CONSTRAINT executions_migrations_lock_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.executions_migrations
    ADD CONSTRAINT executions_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.executions
    ADD CONSTRAINT executions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workspace_id, principal_id, route, key);

ALTER TABLE ONLY public.integrations
    ADD CONSTRAINT integrations_pkey PRIMARY KEY (workspace_id, slug);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_workspace_id_pattern_key UNIQUE (workspace_id, pattern);

ALTER TABLE ONLY public.tool_call_outcomes
    ADD CONSTRAINT tool_call_outcomes_pkey PRIMARY KEY (call_id);

ALTER TABLE ONLY public.tool_calls
    ADD CONSTRAINT tool_calls_execution_id_call_number_key UNIQUE (execution_id, call_number);

ALTER TABLE ONLY public.tool_calls
    ADD CONSTRAINT tool_calls_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tools_migrations_lock
    ADD CONSTRAINT tools_migrations_lock_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tools_migrations
    ADD CONSTRAINT tools_migrations_pkey PRIMARY KEY (name);

CREATE INDEX executions_by_principal ON public.executions USING btree (workspace_id, principal_id, id);

CREATE INDEX executions_by_workspace ON public.executions USING btree (workspace_id, id);

CREATE INDEX executions_in_flight ON public.executions USING btree (workspace_id) WHERE ((dispatched_at IS NOT NULL) AND (ended_at IS NULL));

CREATE INDEX executions_unfinished ON public.executions USING btree (id) WHERE (ended_at IS NULL);

CREATE INDEX executions_waiting ON public.executions USING btree (workspace_id, id) WHERE ((dispatched_at IS NULL) AND (ended_at IS NULL));

CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);

ALTER TABLE ONLY public.execution_result_parts
    ADD CONSTRAINT execution_result_parts_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES public.executions(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tool_call_outcomes
    ADD CONSTRAINT tool_call_outcomes_call_id_fkey FOREIGN KEY (call_id) REFERENCES public.tool_calls(id);

-- As of an hour ago, so that no retention takes it away.
UPDATE public.executions SET created_at = created_at + age, started_at = started_at + age, ended_at = ended_at + age,
  dispatched_at = dispatched_at + age, lease_until = lease_until + age
FROM (SELECT now() - interval '1 hour' - timestamptz '2026-11-22 00:48:00+00' AS age) AS old;
UPDATE public.tool_calls SET dispatched_at = now() - interval '1 hour';
