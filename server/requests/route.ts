/**
 * GET /requests: the last requests, newest first (`limit`), those that ended after
 * the request with number `after` did, and those under way. GET /requests/:number: one's life.
 */
import type { FastifyInstance } from "fastify";
import type { Trust } from "../../device/trust.ts";
import { ApiError } from "../http/errors.ts";
import type { Settings } from "../settings/table.ts";
import type { RequestHistory } from "./history.ts";
import { lifeOf, summaryOf } from "./respond.ts";

const LIMIT = 1000;

export function requestsRoutes(
  app: FastifyInstance,
  {
    history,
    trust,
    settings,
  }: {
    /** Absent: nothing is remembered, and there is no route. */
    readonly history?: RequestHistory;
    readonly trust?: Trust;
    readonly settings: Settings;
  },
): void {
  if (history === undefined) return;
  app.get<{ Querystring: { limit?: string; after?: string } }>("/requests", async ({ query }) => {
    const limit = count("limit", query.limit) ?? LIMIT;
    const after = count("after", query.after);
    const { over } = history;
    const from = after === undefined ? 0 : 1 + over.findIndex(({ number }) => number === after);
    const told = over.slice(Math.max(from, over.length - limit)).reverse();
    return {
      now: Date.now(),
      kept: over.length,
      most: settings["request-history-entries"],
      under_way: history.underWay.map(summaryOf),
      requests: told.map(summaryOf),
    };
  });
  app.get<{ Params: { number: string } }>("/requests/:number", async ({ params }) => {
    const kept = history.find(count("number", params.number) ?? 0);
    if (kept === undefined) {
      throw new ApiError("not-found", `No request ${params.number} is remembered.`, {
        param: "number",
      });
    }
    return lifeOf(kept, history.logs, trust);
  });
}

function count(param: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new ApiError("bad-request", `${param} must be a whole number, got ${text}.`, { param });
  }
  return Number(text);
}
