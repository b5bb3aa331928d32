/**
 * The HTTP application: routes, keys, limits, errors. `buildApp` returns a
 * fastify instance that has not listened; tests call it with `inject`.
 */
import type { ServerOptions as HttpsOptions } from "node:https";
import websocket from "@fastify/websocket";
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from "fastify";
import { adapterRoutes } from "./adapters/route.ts";
import { countTokensRoute } from "./anthropic/count.ts";
import { messagesFormat } from "./anthropic/respond.ts";
import { chatFormatRoute } from "./exchange/chat-format.ts";
import { logRequests, whenOver } from "./exchange/log.ts";
import type { FixedAnswers } from "./fixed/answers.ts";
import { answerFixed } from "./fixed/hook.ts";
import { recordAnswers } from "./fixed/record.ts";
import { WITHOUT_EFFECT } from "./generation/fields.ts";
import { uuidDigits } from "./hex-id.ts";
import { requireKeys } from "./http/auth.ts";
import { bodyLimits, readBodies } from "./http/body.ts";
import { answerOrigins } from "./http/cors.ts";
import { ApiError, toApiError } from "./http/errors.ts";
import { reportIgnored } from "./http/ignored.ts";
import { RequestLog } from "./http/log.ts";
import { PlainMessage } from "./http/message.ts";
import { pythonJson } from "./http/python-json.ts";
import { answerNoHttp, MAX_HEADER_BYTES, refuseSockets } from "./http/refusals.ts";
import { tellRoutes } from "./http/route-facts.ts";
import { shapeCheck } from "./http/validation.ts";
import { derenderRoutes } from "./inference/derender.ts";
import { generateRoutes } from "./inference/generate.ts";
import { renderRoutes } from "./inference/render.ts";
import { switchedOffRoutes } from "./inference/switched-off.ts";
import { injectFaults } from "./injection/inject.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { chatBatchRoute } from "./openai/chat/batch.ts";
import { chatFormat } from "./openai/chat/respond.ts";
import { completionRoute } from "./openai/completions/route.ts";
import { invocationsRoute } from "./openai/invocations.ts";
import { modelsRoute } from "./openai/models/route.ts";
import { realtimeRoute } from "./openai/realtime/route.ts";
import { responsesRoutes } from "./openai/responses/route.ts";
import { scoringRoute } from "./openai/scoring/route.ts";
import { devRoutes } from "./ops/dev.ts";
import { healthRoutes, PROBES } from "./ops/health.ts";
import { hygieneRoute } from "./ops/hygiene.ts";
import { liveRoute } from "./ops/live.ts";
import { openApiRoutes } from "./ops/openapi.ts";
import { profileRoutes } from "./ops/profile.ts";
import { prometheusRoutes } from "./ops/prometheus.ts";
import { tokenizeRoutes } from "./ops/tokenize.ts";
import { uiRoutes } from "./ops/ui.ts";
import { MOST_INPUTS } from "./pooling/inputs.ts";
import type { Pooler } from "./pooling/pooler.ts";
import { poolingRoutes } from "./pooling/routes.ts";
import { requestsRoutes } from "./requests/route.ts";
import type { Serving } from "./serving.ts";
import type { Settings } from "./settings/table.ts";

/** A request that has not arrived whole by then ends, however it trickles in. */
const REQUEST_MS = 300_000;
/** Characters of an id in a path: a client's own may be long. */
const LONGEST_PARAM = 4_096;

export interface AppParts {
  readonly serving: Serving;
  readonly metrics: Metrics;
  /** Absent: models answer all requests. */
  readonly fixed?: FixedAnswers;
  /** Absent: texts are generated, not pooled. */
  readonly pooler?: Pooler;
  /** Absent: nothing is logged. */
  readonly logger?: FastifyBaseLogger;
  /** True from the first signal on: requests that still come in are turned away. */
  readonly draining?: () => boolean;
  /** Certificate and key for HTTPS. */
  readonly https?: HttpsOptions;
}

export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { serving, metrics } = parts;
  const { settings } = serving;
  const app = transport(parts);
  app.setReplySerializer((answer) => pythonJson(answer));
  app.setValidatorCompiler(({ schema }) => shapeCheck(schema as object)); // route schemas are objects
  readBodies(
    app,
    bodyLimits(settings["max-request-body-bytes"], {
      ...serving,
      ...(parts.pooler && { texts: MOST_INPUTS }),
    }),
  );
  answerErrors(app);
  app.decorateRequest("record");
  // Hooks call back: of each promise a request would wait a turn.
  app.addHook("onRequest", (request, reply, done) => {
    request.record = { began: serving.clock.now() };
    request.log = reply.log = new RequestLog(app.log, request.id);
    if (parts.draining?.() && !PROBES.has(request.routeOptions.url ?? "")) {
      done(new ApiError("overloaded", "The server is shutting down.", { retryAfterSeconds: 5 }));
    } else done();
  });
  tellRoutes(app);
  logRequests(app, serving, metrics);
  answerOrigins(app, settings);
  await app.register(websocket, { options: { maxPayload: 1 << 20 } });
  app.websocketServer.on("connection", (socket) => {
    socket.on("close", metrics.frontend.socketOpened());
  });
  requireKeys(app, settings["api-key"]);
  reportIgnored(app, WITHOUT_EFFECT, settings.strict);
  nameAnswers(app, serving);
  refuseSockets(app);
  const load = trackLoad(app, settings["enable-server-load-tracking"]);
  await app.register(async (routes) => {
    operatorRoutes(routes, parts, load);
    clientRoutes(routes, parts);
    await routes.register(async (scope) => {
      injectFaults(scope, serving, metrics);
      recordWhereAsked(scope, settings);
      if (parts.fixed !== undefined) answerFixed(scope, settings, parts.fixed);
      generatingRoutes(scope, parts);
    });
    await routes.register(async (scope) => profileRoutes(scope, serving));
  });
  return app;
}

/** Fastify as it listens: HTTP or HTTPS, limits and time-outs. */
function transport({ serving: { settings }, logger, https }: AppParts): FastifyInstance {
  const node = {
    ...{ IncomingMessage: PlainMessage, maxHeaderSize: MAX_HEADER_BYTES },
    requireHostHeader: false,
  };
  // One type for both transports: routes do not care.
  const app = fastify({
    ...(https === undefined ? { http: node } : { https: { ...https, ...node } }),
    clientErrorHandler: answerNoHttp,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings["max-request-body-bytes"],
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: settings["timeout-keep-alive"] * 1000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    rewriteUrl: ({ url = "/" }) => withoutRoot(withSlashes(url), settings["root-path"]),
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const known = errorOf(error);
      reply.header("content-type", "application/json").header("vary", "Origin");
      void reply.code(known.status).send(Buffer.from(JSON.stringify(known.answer())));
    },
  }) as unknown as FastifyInstance;
  // Whatever a client expects of its answer, it gets the answer; node would say 417.
  app.server.on("checkExpectation", (request, answer) =>
    app.server.emit("request", request, answer),
  );
  // Given to fastify it would have a child for each request, and hear of each answer's end.
  if (logger !== undefined) app.log = logger;
  return app;
}

/** What clients of the API call, but for what generates. */
function clientRoutes(routes: FastifyInstance, { serving, pooler }: AppParts): void {
  modelsRoute(routes, serving);
  if (serving.settings["allow-runtime-lora-updating"]) adapterRoutes(routes, serving.adapters);
  tokenizeRoutes(routes, serving);
  if (pooler !== undefined) return;
  countTokensRoute(routes, serving);
  if (serving.settings["enable-scale-out"]) {
    renderRoutes(routes, serving);
    derenderRoutes(routes, serving);
  } else switchedOffRoutes(routes);
  realtimeRoute(routes, serving);
}

/** What models answer: where a test may let something go wrong. */
function generatingRoutes(routes: FastifyInstance, { serving, pooler }: AppParts): void {
  if (pooler !== undefined) {
    poolingRoutes(routes, serving, pooler);
    return;
  }
  chatFormatRoute(routes, serving, chatFormat);
  chatBatchRoute(routes, serving);
  completionRoute(routes, serving);
  scoringRoute(routes, serving);
  responsesRoutes(routes, serving);
  chatFormatRoute(routes, serving, messagesFormat);
  if (serving.settings["enable-scale-out"]) generateRoutes(routes, serving);
  invocationsRoute(routes, serving);
}

/** `--record-from`: requests are another server's to answer. */
function recordWhereAsked(routes: FastifyInstance, settings: Settings): void {
  const { "record-from": from, record: file } = settings;
  if (from !== undefined && file !== undefined) recordAnswers(routes, { from, file });
}

/** What operators look at: documents, pages, probes, metrics. */
function operatorRoutes(
  routes: FastifyInstance,
  { serving, metrics, draining }: AppParts,
  load: () => number,
): void {
  const { settings } = serving;
  if (!settings["disable-fastapi-docs"]) openApiRoutes(routes);
  if (!settings["disable-ui"]) uiRoutes(routes);
  healthRoutes(routes, serving, { load, draining: draining ?? (() => false) });
  if (settings["server-dev-mode"]) devRoutes(routes, serving, metrics);
  liveRoute(routes, serving, metrics);
  hygieneRoute(routes, serving, metrics);
  requestsRoutes(routes, serving);
  prometheusRoutes(routes, metrics);
}

/** Headers of every answer: as vLLM's framework has them, the request's id, and what is simulated. */
function nameAnswers(app: FastifyInstance, { settings, simulation }: Serving): void {
  const named = settings["enable-request-id-headers"];
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("vary", "Origin");
    if (named) {
      const given = request.headers["x-request-id"];
      reply.header("x-request-id", typeof given === "string" ? given : uuidDigits());
    }
    if (simulation !== undefined) reply.header("x-trainyard-simulation", simulation);
    done();
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (reply.getHeader("content-type") === "application/json; charset=utf-8") {
      reply.header("content-type", "application/json"); // JSON is UTF-8 and has no such parameter
    }
    done(null, payload);
  });
}

function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const known = errorOf(error);
    if (known.status >= 500 && known.code === "internal") {
      request.log.error({ err: known.cause ?? known }, "request failed");
    }
    request.record.error = known.message;
    if (known.retryAfterSeconds !== undefined) {
      reply.header("retry-after", Math.max(1, Math.ceil(known.retryAfterSeconds)));
    }
    // Of a body that is no JSON fastify believes that more may come.
    if (request.raw.complete) reply.removeHeader("connection");
    return reply.code(known.status).send(known.answer(request.routeOptions.config.errorBody));
  });
  const patterns: { readonly methods: readonly string[]; readonly matches: RegExp }[] = [];
  app.addHook("onRoute", ({ method, url, websocket }) => {
    if (url.includes("*") || websocket) return;
    const matches = new RegExp(`^${url.replace(/:[^/]+/g, "[^/]+")}$`);
    patterns.push({ methods: [method].flat(), matches });
  });
  app.setNotFoundHandler(async (request, reply) => {
    const [url = "", query] = request.url.split("?");
    // Those of the first route of the path, as there.
    const methodsOf = (path: string): readonly string[] =>
      patterns.find(({ matches }) => matches.test(path))?.methods ?? [];
    const allowed = methodsOf(url);
    if (allowed.length === 0) {
      const bare = withoutSlashes(url);
      if (bare === url || methodsOf(bare).length === 0) {
        throw new ApiError("no-route", "Not Found");
      }
      const { localAddress, localPort } = request.raw.socket;
      const host = request.host || `${localAddress}:${localPort}`;
      const target = `${request.protocol}://${host}${bare}`;
      return reply.redirect(query === undefined ? target : `${target}?${query}`, 307);
    }
    reply.header("allow", allowed.join(", "));
    throw new ApiError("no-method", "Method Not Allowed");
  });
}

/** Without those at its end; a loop, since a pattern would try again at each of them. */
export function withoutSlashes(url: string): string {
  let end = url.length;
  while (end > 0 && url[end - 1] === "/") end--;
  return url.slice(0, end);
}

/** Fastify's own errors in vLLM's words. */
function errorOf(error: unknown): ApiError {
  if (error instanceof ApiError || !(error instanceof Error)) return toApiError(error);
  const { code, statusCode } = error as FastifyError;
  switch (code) {
    case "FST_ERR_BAD_URL":
      return new ApiError("no-route", "Not Found");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new ApiError(
        "invalid",
        "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
      );
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new ApiError("too-large", `${error.message}; the limit is --max-request-body-bytes.`);
  }
  if (statusCode !== undefined && statusCode < 500) {
    return new ApiError("bad-request", error.message, { cause: error });
  }
  return toApiError(error);
}

/** Requests under way, for /load; 0 unless tracked. */
function trackLoad(app: FastifyInstance, tracked: boolean): () => number {
  if (!tracked) return () => 0;
  let load = 0;
  const counted = (method: string, url: string) =>
    method === "POST" && (url.startsWith("/v1/") || url.includes("tokenize"));
  app.addHook("onRequest", (request, _reply, done) => {
    if (counted(request.method, request.url)) load++;
    done();
  });
  whenOver(app, ({ method, url }) => {
    if (counted(method, url)) load--;
  });
  return () => load;
}

/** Slashes of a path may be written as `%2F`; those of its query are values. */
export function withSlashes(url: string): string {
  if (!url.includes("%2")) return url;
  const [path = "", ...query] = url.split("?");
  return [path.replaceAll(/%2f/gi, "/"), ...query].join("?");
}

/** Both /v1/models and <root>/v1/models are served, whether the proxy takes its path off or not. */
function withoutRoot(url: string, root: string): string {
  const prefix = root.replace(/\/$/, "");
  return prefix !== "" && url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : url;
}
