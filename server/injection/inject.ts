/**
 * Failures on purpose (`--inject`, or the header that `--enable-inject-header` lets in):
 * drawn from a seed, so that a run fails again as it failed, and counted as they show.
 * A server without these flags has no hook of it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { keyOfSeed, uniform } from "../../device/random.ts";
import { badRequest } from "../http/errors.ts";
import { StatusError } from "../http/status-error.ts";
import type { CounterSeries } from "../metrics/families.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";
import {
  FAULT_KINDS,
  type Fault,
  type FaultKind,
  type FaultSpec,
  readFault,
} from "../settings/fault-spec.ts";
import { type AnswerFault, faultyAnswer } from "./faulty-answer.ts";

export const INJECT_HEADER = "x-trainyard-inject";
/** Of the answer: what was drawn for it. */
const INJECTED_HEADER = "x-trainyard-injected";

/** Which faults an answer gets: a draw for each spec and request, in the order of their coming. */
export class FaultDraw {
  readonly #key;
  #drawn = 0;

  constructor(seed: number) {
    this.#key = keyOfSeed(seed);
  }

  /** One of each kind at most, the first in the list. */
  of(specs: readonly FaultSpec[]): readonly Fault[] {
    const drawn = specs.filter(({ rate }) => uniform(this.#key, this.#drawn++) < rate);
    const faults = new Map<FaultKind, Fault>();
    for (const { fault } of drawn) if (!faults.has(fault.kind)) faults.set(fault.kind, fault);
    return [...faults.values()];
  }
}

/** For the routes of this scope; nothing where no flag asks for it. */
export function injectFaults(scope: FastifyInstance, serving: Serving, metrics: Metrics): void {
  const { settings, names } = serving;
  const byHeader = settings["enable-inject-header"];
  const standing = settings.inject.map(readFault);
  if (standing.length === 0 && !byHeader) return;
  const draw = new FaultDraw(settings["inject-seed"]);
  const counters = countersOf(metrics, names[0]);
  scope.addHook("preHandler", async (request, reply) => {
    if (request.method !== "POST" || request.routeOptions.url?.includes(":")) return;
    const asked = byHeader ? headerSpecs(request) : undefined;
    letFail(reply, draw.of(asked ?? standing), (kind) => counters.get(kind)?.inc());
  });
}

/** Throws the status that was drawn; what else was drawn shows as the answer is written. */
export function letFail(
  reply: FastifyReply,
  faults: readonly Fault[],
  happened: (kind: FaultKind) => void,
): void {
  if (faults.length === 0) return;
  reply.header(INJECTED_HEADER, faults.map(({ kind }) => kind).join(", "));
  const shown: AnswerFault[] = [];
  for (const fault of faults) {
    if (fault.kind === "status") {
      happened("status");
      throw new StatusError(fault.status, `Injected: status=${fault.status}.`);
    }
    shown.push(fault);
  }
  faultyAnswer(reply.raw, shown, happened);
}

/** Undefined: the request says nothing of it. `none` spares it what stands. Throws ApiError. */
function headerSpecs({ headers }: FastifyRequest): readonly FaultSpec[] | undefined {
  const given = headers[INJECT_HEADER];
  if (typeof given !== "string") return undefined;
  if (given.trim() === "none") return [];
  try {
    return given.split(",").map(readFault);
  } catch (error) {
    throw badRequest((error as Error).message, INJECT_HEADER, given); // the reader throws Errors
  }
}

function countersOf({ families }: Metrics, model: string): ReadonlyMap<FaultKind, CounterSeries> {
  const help = "Failures that --inject or x-trainyard-inject let happen.";
  return new Map(
    FAULT_KINDS.map((kind) => [
      kind,
      families.counter("trainyard:injected_failures", help, { model_name: model, kind }),
    ]),
  );
}
