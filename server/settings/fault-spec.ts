/**
 * What can be made to go wrong with an answer, and how it is written:
 *
 *     status=CODE@10%         one answer in ten is this error, in vLLM's body
 *     cut=4                   the connection breaks after four events
 *     malformed=1@0.05        the event after the first one is no JSON
 *     slow-first-token=2.5s   nothing of the answer goes out for so much longer
 *     stall=300ms:8           after eight events nothing comes for so long
 *     pace=50ms               each event comes so long after the one before
 *
 * An event is one of a stream; an answer that does not stream is cut, broken or
 * stalled in its middle.
 */

export type Fault =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "cut"; readonly after: number }
  | { readonly kind: "malformed"; readonly after: number }
  | { readonly kind: "slow-first-token"; readonly ms: number }
  | { readonly kind: "stall"; readonly ms: number; readonly after: number }
  | { readonly kind: "pace"; readonly ms: number };

export type FaultKind = Fault["kind"];

export interface FaultSpec {
  readonly fault: Fault;
  /** Share of the answers, in (0, 1]. */
  readonly rate: number;
}

/** The longest that anything may be held back: clients give up earlier. */
const MOST_MS = 3_600_000;
/** Where cut, malformed and stall happen unless they say so: once the client has seen an answer begin. */
const AFTER = 1;

type Reader = (value: string | undefined) => Fault;

const READERS: Readonly<Record<FaultKind, Reader>> = {
  status: (value = "500") => {
    const status = Number(value);
    if (!/^\d+$/.test(value) || status < 400 || status > 599) {
      throw new Error(`status is of 400 to 599, not ${value}`);
    }
    return { kind: "status", status };
  },
  cut: (value) => ({ kind: "cut", after: eventsOf("cut", value) }),
  malformed: (value) => ({ kind: "malformed", after: eventsOf("malformed", value) }),
  "slow-first-token": (value) => ({
    kind: "slow-first-token",
    ms: durationOf("slow-first-token", value),
  }),
  stall: (value) => {
    const [duration, after] = (value ?? "").split(":");
    return { kind: "stall", ms: durationOf("stall", duration), after: eventsOf("stall", after) };
  },
  pace: (value) => ({ kind: "pace", ms: durationOf("pace", value) }),
};

// The table's own keys.
export const FAULT_KINDS = Object.keys(READERS) as readonly FaultKind[];

/** Throws an Error that says what is wrong. */
export function readFault(text: string): FaultSpec {
  const [what = "", rate, ...more] = text.trim().split("@");
  const [kind = "", value, ...rest] = what.split("=");
  const reader = Object.hasOwn(READERS, kind) ? READERS[kind as FaultKind] : undefined;
  if (reader === undefined || more.length + rest.length > 0) {
    const kinds = FAULT_KINDS.join(", ");
    throw new Error(`takes KIND[=VALUE][@RATE] with a KIND of ${kinds}; ${text} is none`);
  }
  return { fault: reader(value === "" ? undefined : value), rate: rateOf(rate) };
}

function rateOf(text: string | undefined): number {
  if (text === undefined) return 1;
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text);
  const rate = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (!(rate > 0 && rate <= 1)) {
    throw new Error(`a rate is above 0 and at most 1, such as 0.1 or 10%, not ${text}`);
  }
  return rate;
}

function eventsOf(kind: FaultKind, text: string | undefined): number {
  if (text === undefined || text === "") return AFTER;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${kind} counts events, such as 4, not ${text}`);
  return Number(text);
}

function durationOf(kind: FaultKind, text: string | undefined): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|)$/.exec(text ?? "");
  const ms = match === null ? Number.NaN : Number(match[1]) * (match[2] === "ms" ? 1 : 1000);
  if (!(ms > 0 && ms <= MOST_MS)) {
    throw new Error(
      `${kind} takes a time, such as ${kind}=2.5s or ${kind}=300ms (an hour at most), not ${text ?? "nothing"}`,
    );
  }
  return ms;
}
