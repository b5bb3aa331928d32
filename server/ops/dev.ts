/**
 * Routes of `--server-dev-mode` (VLLM_SERVER_DEV_MODE=1), as vLLM's: they change
 * the server's state and, standing outside /v1, ask for no key. A server that is
 * paused or asleep takes requests, and they wait. Sleep frees no memory: weights
 * and cache stay where they are.
 */
import { arch, cpus, totalmem, type } from "node:os";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { Engine } from "../../engine/engine.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import { isObject } from "../http/shape/python.ts";
import { jsonDetail, readQuery } from "../http/validation.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";

const flag = Type.Optional(Type.Boolean());
const mode = Type.Optional(Type.Enum(["abort", "wait", "keep"]));

const resetQuery = Type.Object({ reset_running_requests: flag, reset_external: flag });
const infoQuery = Type.Object({ config_format: Type.Optional(Type.Enum(["text", "json"])) });
const pauseQuery = Type.Object({ mode, clear_cache: flag });
const sleepQuery = Type.Object({
  level: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 })),
  mode,
});

export function devRoutes(app: FastifyInstance, serving: Serving, metrics: Metrics): void {
  pauseRoutes(app, serving);
  sleepRoutes(app, serving, metrics);
  cacheRoutes(app, serving);
  infoRoutes(app, serving);
}

/** What becomes of the requests under way: ended, awaited or kept as they are. */
async function pause(engine: Engine, how: "abort" | "wait" | "keep"): Promise<void> {
  const under = new Set(engine.live);
  if (how === "abort") {
    // No step begins meanwhile; the one under way ends with the requests.
    engine.pause();
    for (const id of under) engine.finish(id, "abort");
  } else if (how === "wait" && under.size > 0) {
    await new Promise<void>((resolve) => {
      const leave = engine.subscribe((event) => {
        if (event.type !== "request-finished") return;
        under.delete(event.id);
        if (under.size > 0) return;
        leave();
        resolve();
      });
    });
  }
  engine.pause();
}

function pauseRoutes(app: FastifyInstance, { engines }: Serving): void {
  app.post("/pause", async ({ query }) => {
    const { mode: how = "abort", clear_cache: clear = true } = readQuery(pauseQuery, query);
    await Promise.all(engines.all.map((engine) => pause(engine, how)));
    if (clear && how !== "keep") for (const engine of engines.all) engine.resetPrefixCache();
    return { status: "paused" };
  });
  app.post("/resume", async () => {
    for (const engine of engines.all) engine.resume();
    return { status: "resumed" };
  });
  app.get("/is_paused", async () => ({ is_paused: engines.all.some(({ paused }) => paused) }));
}

const TAGS = ["weights", "kv_cache"] as const;
/** No level of sleep; level 0 is one, and only pauses. */
const AWAKE = -1;

function sleepRoutes(app: FastifyInstance, { engines }: Serving, metrics: Metrics): void {
  const { frontend } = metrics;
  /** What has not been woken again; empty: awake. */
  let asleep: ReadonlySet<string> = new Set();
  app.post("/sleep", async ({ query }) => {
    const { level = 1, mode: how = "abort" } = readQuery(sleepQuery, query);
    await frontend.timeSleep("sleep", async () => {
      await Promise.all(engines.all.map((engine) => pause(engine, how)));
      if (level === 0) return;
      for (const engine of engines.all) engine.resetPrefixCache({ preempt: true });
      asleep = new Set(TAGS);
    });
    metrics.slept(level);
    return { status: "sleeping", level };
  });
  app.post<{ Querystring: { readonly tags?: string | readonly string[] } }>(
    "/wake_up",
    async ({ query }) => {
      const tags = query.tags === undefined ? null : [query.tags].flat();
      await frontend.timeSleep("wake", async () => {
        asleep = new Set(tags === null ? [] : [...asleep].filter((tag) => !tags.includes(tag)));
        if (asleep.size > 0) return;
        for (const engine of engines.all) engine.resume();
        metrics.slept(AWAKE);
      });
      return { status: asleep.size === 0 ? "awake" : "sleeping", tags };
    },
  );
  app.get("/is_sleeping", async () => ({ is_sleeping: asleep.size > 0 }));
}

function cacheRoutes(app: FastifyInstance, { engines }: Serving): void {
  // `reset_external` names a cache outside the engine; there is none to reset.
  app.post("/reset_prefix_cache", async ({ query }) => {
    const { reset_running_requests: preempt = false } = readQuery(resetQuery, query);
    const done = engines.all.map((engine) => engine.resetPrefixCache({ preempt }));
    return { success: done.every(Boolean) };
  });
  // There are no such caches: nothing is left in them.
  app.post("/reset_mm_cache", async (_request, reply) => reply.code(200).send());
  app.post("/reset_encoder_cache", async (_request, reply) => reply.code(200).send());
}

function infoRoutes(app: FastifyInstance, { settings }: Serving): void {
  app.get("/server_info", async ({ query }) => {
    const { config_format: format } = readQuery(infoQuery, query);
    const { "api-key": _secret, ...config } = settings;
    return {
      vllm_config: format === "json" ? config : assignments(config),
      vllm_env: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => /^VLLM_(?!.*KEY)/.test(name)),
      ),
      system_env: {
        node_version: process.version,
        os: type(),
        cpu: arch(),
        cpu_count: cpus().length,
        memory_bytes: totalmem(),
      },
    };
  });
  app.post(
    "/collective_rpc",
    { config: { readsBody: true }, errorHandler: jsonDetail },
    async ({ body }) => {
      if (body === undefined) {
        throw new ApiError(
          "invalid",
          "JSON decode error: Expecting value: line 1 column 1 (char 0)",
        );
      }
      if (!isObject(body)) throw new ApiError("invalid", "Request body must be a JSON object");
      const { method } = body;
      if (method === undefined || method === null) {
        throw new ApiError("invalid", "Missing 'method' in request body");
      }
      throw badRequest(
        `The workers of this server take no calls: '${typeof method === "string" ? method : JSON.stringify(method)}' is none of theirs.`,
        "method",
      );
    },
  );
}

function assignments(config: object): string {
  return Object.entries(config)
    .map(([name, value]) => `${name}=${JSON.stringify(value ?? null)}`)
    .join(", ");
}
