/** Looks for each request's fixed answer (`--matches`); the routes then force it on the engine. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/errors.ts";
import { StatusError } from "../http/status-error.ts";
import { FaultDraw, letFail } from "../injection/inject.ts";
import type { Settings } from "../settings/table.ts";
import type { FixedAnswers } from "./answers.ts";
import { type Asked, askedOf } from "./asked.ts";

/** Of the answer: the line that gave it. */
const MATCH_HEADER = "x-trainyard-match";
/** Routes whose requests are one conversation, or one prompt. */
export const FIXED_ROUTES: ReadonlySet<string | undefined> = new Set([
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/messages",
]);

/** For the routes of this scope. */
export function answerFixed(scope: FastifyInstance, settings: Settings, fixed: FixedAnswers): void {
  const draw = new FaultDraw(settings["inject-seed"]);
  /** Of bodies as they were written: their checks may write them anew. */
  const askeds = new WeakMap<FastifyRequest, Asked>();
  scope.addHook("preValidation", async (request) => {
    const route = request.routeOptions.url;
    if (request.method !== "POST" || route === undefined || !FIXED_ROUTES.has(route)) return;
    askeds.set(request, askedOf(route, request.body, request.headers));
  });
  scope.addHook("preHandler", async (request, reply) => {
    const asked = askeds.get(request);
    if (asked === undefined) return;
    const chosen = fixed.choose(asked);
    if (chosen === undefined) {
      if (!settings["matches-only"]) return;
      throw new ApiError("not-found", "No line of --matches fits this request.");
    }
    const { line, faults, reply: answer } = chosen;
    reply.header(MATCH_HEADER, line);
    letFail(reply, draw.of(faults), () => {});
    if ("status" in answer) {
      const { status, message = `Fixed: status=${status}.`, type } = answer;
      throw new StatusError(status, message, type === undefined ? {} : { type });
    }
    request.record.fixed = answer;
  });
}
