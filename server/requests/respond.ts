/** Requests as GET /requests and /requests/:number tell of them: milliseconds since the submission to an engine. */
import type { Nanos } from "../../device/clock.ts";
import { MILLISECOND } from "../../device/clock.ts";
import type { Trust } from "../../device/trust.ts";
import type { Life } from "../metrics/life.ts";
import type { LoggedStep, StepLog } from "../metrics/step-log.ts";
import type { KeptRequest } from "./history.ts";

const ms = (nanos: Nanos): number => nanos / MILLISECOND;

/** A line of the list; null: it does not apply, or has not come to that. */
export function summaryOf(kept: KeptRequest) {
  const { timings, lives, status } = kept;
  const since = (time: Nanos | undefined): number | null =>
    time === undefined || timings === undefined ? null : ms(time - timings.submitted);
  const ttft = since(timings?.firstToken);
  const e2e = since(timings?.finished);
  const stalls = lives.flatMap((life) => life.stall ?? []);
  // Of one completion: of several the tokens overlap.
  const steps = kept.choices === 1 ? kept.outputTokens - 1 : 0;
  return {
    number: kept.number,
    id: kept.id,
    route: kept.route,
    arrived: kept.arrived,
    status: status ?? null,
    gone: kept.gone,
    stream: kept.streamed,
    engine: lives[0]?.engine ?? null,
    prompt_tokens: kept.promptTokens,
    cached_tokens: kept.cachedTokens,
    output_tokens: kept.outputTokens,
    choices: kept.choices,
    finish: kept.finish,
    queue_ms: since(timings?.scheduled),
    ttft_ms: ttft,
    itl_ms: ttft === null || e2e === null || steps < 1 ? null : (e2e - ttft) / steps,
    stall_ms: stalls.length === 0 ? null : ms(Math.max(...stalls)),
    e2e_ms: e2e,
    preemptions: lives.reduce((sum, life) => sum + life.preempted.length, 0),
    error: kept.error ?? null,
  };
}

/** One request's life. */
export function lifeOf(kept: KeptRequest, logs: readonly StepLog[], trust: Trust | undefined) {
  const submitted = kept.timings?.submitted ?? 0;
  const since = (time: Nanos): number => ms(time - submitted);
  const end = kept.timings?.finished ?? Number.POSITIVE_INFINITY;
  const steps = kept.lives.map((life) => logs[life.engine]?.between(submitted, end));
  return {
    ...summaryOf(kept),
    completions: kept.lives.map((life, index) => ({
      choice: index,
      engine: life.engine,
      forgotten: life.forgotten,
      scheduled_ms: life.scheduled.map(since),
      preempted_ms: life.preempted.map(since),
      pieces: life.pieces.map(({ at, duration, tokens }) => ({
        end_ms: since(at),
        duration_ms: ms(duration),
        tokens,
      })),
      emitted_ms: life.emitted.map(since),
      emitted_tokens: life.tokens ?? null,
      receipt_ns: receiptsOf(life, steps[index]),
    })),
    writes_ms: kept.writes.map(since),
    steps: stepsOf(kept.lives[0], steps[0], since),
    ...(trust !== undefined && { receipt_bands: trust }),
  };
}

/** As `metrics.receipt_ns` of an answer, until its last token; null: not all of its steps are remembered. */
function receiptsOf(life: Life, steps: readonly LoggedStep[] | undefined) {
  if (steps === undefined || life.forgotten) return null;
  const until = (when: Nanos | undefined) =>
    when === undefined ? null : { total: when - life.submitted, ...life.receipt(steps, when) };
  return {
    time_to_first_token: until(life.emitted[0]),
    end_to_end: until(life.emitted.at(-1)),
  };
}

/** Those of its engine while it lived, in columns; null: no longer remembered. */
function stepsOf(
  life: Life | undefined,
  steps: readonly LoggedStep[] | undefined,
  since: (time: Nanos) => number,
) {
  if (life === undefined || steps === undefined || life.forgotten) return null;
  const own = life.computedAt;
  return {
    end_ms: steps.map(({ at }) => since(at)),
    duration_ms: steps.map(({ duration }) => ms(duration)),
    rows: steps.map(({ rows }) => rows),
    tokens: steps.map(({ tokens }) => tokens),
    waiting: steps.map(({ waiting }) => waiting),
    /** Did it compute the request? */
    own: steps.map(({ at }) => own.has(at)),
  };
}
