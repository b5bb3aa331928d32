/**
 * GET /hygiene: is the load under way, or the last one, a sound benchmark?
 * `concurrency` is what the load tester claims; `since` leaves warm-ups out, and
 * is the `now` of an answer given before the measured part began.
 */
import type { FastifyInstance } from "fastify";
import { SECOND } from "../../device/clock.ts";
import { ApiError } from "../http/errors.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";

interface Query {
  readonly since?: string;
  readonly concurrency?: string;
}

export function hygieneRoute(app: FastifyInstance, { clock }: Serving, metrics: Metrics): void {
  app.get<{ Querystring: Query }>("/hygiene", async ({ query }) => {
    const { requests, seconds, notices, ...load } = metrics.load.report({
      ...number("since", query.since),
      ...number("concurrency", query.concurrency),
    });
    return {
      now: clock.now() / SECOND,
      requests,
      seconds,
      mean_concurrency: load.meanConcurrency,
      peak_concurrency: load.peakConcurrency,
      notices,
    };
  });
}

function number<K extends string>(key: K, text: string | undefined): { [key in K]?: number } {
  if (text === undefined) return {};
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new ApiError("bad-request", `${key} must be a number, got ${text}.`, { param: key });
  }
  return { [key]: value } as { [key in K]?: number }; // one key, one value
}
