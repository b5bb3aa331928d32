/**
 * Who asks: the published tables' load generators, as their sources send and
 * count. What a mean says hangs on them as much as on the server.
 */
import type { Nanos, VirtualClock } from "../../device/clock.ts";
import type { Answered, Service } from "./services.ts";

/** Tokens asked for: means, and half-widths of a uniform spread. */
export interface Lengths {
  readonly prompt: number;
  readonly output: number;
  readonly promptSpread: number;
  readonly outputSpread: number;
}

export interface Run {
  /** The answers that the client counts. */
  readonly counted: readonly Answered[];
  /** By which it divides. */
  readonly nanos: Nanos;
}

type Ask = (done: (answered: Answered) => void) => void;

function asker(service: Service, lengths: Lengths, seed = 7): Ask {
  const draw = seeded(seed);
  const around = (mean: number, width: number): number =>
    Math.max(1, Math.round(mean + (2 * draw() - 1) * width));
  return (done) => {
    const prompt = around(lengths.prompt, lengths.promptSpread);
    service(prompt, around(lengths.output, lengths.outputSpread), done);
  };
}

/** guidellm 0.1.0: a run lasts so long, and what has not ended by then is dropped. */
const GUIDED: Nanos = 120e9;
/** How often it looks whether requests have ended: those that have are replaced together. */
const GUIDED_POLL: Nanos = 100e6;

/** guidellm's throughput mode: so many in flight, refilled at each look. */
export function guidedThroughput(
  { clock, service }: { readonly clock: VirtualClock; readonly service: Service },
  lengths: Lengths,
  clients: number,
): Run {
  const ask = asker(service, lengths);
  const counted: Answered[] = [];
  let inFlight = 0;
  const look = (): void => {
    for (; inFlight < clients; inFlight++) {
      ask((answered) => {
        counted.push(answered);
        inFlight--;
      });
    }
    clock.at(clock.now() + GUIDED_POLL, look);
  };
  clock.at(0, look);
  clock.runReady(GUIDED);
  return { counted, nanos: spanOf(counted) };
}

/** guidellm's asynchronous mode: one request every `gap`, whoever is still in flight. */
export function guidedRate(
  { clock, service }: { readonly clock: VirtualClock; readonly service: Service },
  lengths: Lengths,
  gap: Nanos,
): Run {
  const ask = asker(service, lengths);
  const counted: Answered[] = [];
  for (let at = 0; at < GUIDED; at += gap) {
    clock.at(Math.round(at), () => ask((answered) => counted.push(answered)));
  }
  clock.runReady(GUIDED);
  return { counted, nanos: spanOf(counted) };
}

/** llmperf draws each prompt as it sends it, ns: what its tables lose with one request in flight. */
const DRAW: Nanos = 250e6;
const WAVES = 4;

/** llmperf: sends so many, one prompt drawn after another, to the replicas in turn; waits for all of them. */
export function waves(
  { clock, services }: { readonly clock: VirtualClock; readonly services: readonly Service[] },
  lengths: Lengths,
  requests: number,
): Run {
  const askers = services.map((service, index) => asker(service, lengths, 7 + index));
  const counted: Answered[] = [];
  let ended = 0;
  const wave = (left: number): void => {
    let open = requests;
    for (let index = 0; index < requests; index++) {
      clock.at(clock.now() + (index + 1) * DRAW, () =>
        askers[index % askers.length]?.((answered) => {
          counted.push(answered);
          ended = clock.now();
          open--;
          if (open === 0 && left > 1) wave(left - 1);
        }),
      );
    }
  };
  wave(WAVES);
  clock.runReady();
  return { counted, nanos: ended };
}

/** Clients that each ask again when answered, so many rounds (one: a burst). */
export function rounds(
  { clock, service }: { readonly clock: VirtualClock; readonly service: Service },
  lengths: Lengths,
  its: { readonly clients: number; readonly rounds: number },
): Run {
  const ask = asker(service, lengths);
  const counted: Answered[] = [];
  let left = its.clients * its.rounds;
  const turn = (): void => {
    if (left === 0) return;
    left--;
    ask((answered) => {
      counted.push(answered);
      clock.at(clock.now(), turn);
    });
  };
  for (let client = 0; client < its.clients; client++) clock.at(0, turn);
  clock.runReady();
  return { counted, nanos: spanOf(counted) };
}

/** From the first request to the last answer. */
function spanOf(counted: readonly Answered[]): Nanos {
  return (
    Math.max(...counted.map((one) => one.end)) - Math.min(...counted.map((one) => one.arrival))
  );
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
