/**
 * Who asks: the published tables' load generators, as their sources send and
 * count. What a mean says hangs on them as much as on the server.
 */
import type { Nanos } from "../../../device/clock.ts";
import type { Answered, Site } from "./services.ts";

/** Tokens asked for: means, and half-widths of a uniform spread. */
export interface Lengths {
  readonly prompt: number;
  readonly output: number;
  readonly promptSpread: number;
  readonly outputSpread: number;
  /** Share of the answers that end by themselves, anywhere before the tokens asked for. */
  readonly endEarly: number;
}

export interface Run {
  /** The answers that the client counts. */
  readonly counted: readonly Answered[];
  /** By which it divides. */
  readonly nanos: Nanos;
}

type Ask = (done: (answered: Answered) => void) => void;

function asker({ services }: Site, lengths: Lengths): Ask {
  const draw = spread();
  const around = (mean: number, width: number, share: number): number =>
    Math.max(1, Math.round(mean + (2 * share - 1) * width));
  const asked = lengths.output / (1 - lengths.endEarly / 2);
  let turn = 0;
  return (done) => {
    const [first, second, third] = draw();
    const prompt = around(lengths.prompt, lengths.promptSpread, first);
    const output =
      second < lengths.endEarly
        ? around(asked / 2, asked / 2, third)
        : around(asked, lengths.outputSpread, third);
    services[turn++ % services.length]?.(prompt, output, done);
  };
}

/** guidellm 0.1.0: a run lasts so long, and what has not ended by then is dropped. */
const GUIDED: Nanos = 120e9;
/** How often it looks whether requests have ended: those that have are replaced together. */
const GUIDED_POLL: Nanos = 100e6;
/** Its sweep asks, of the throughput run, so many times the requests that one client got answered. */
const SWEEP_TIMES = 5;

/** guidellm's synchronous mode, which a sweep begins with: requests answered in time, one after another. */
function guidedAlone(site: Site, lengths: Lengths): number {
  const ask = asker(site, lengths);
  let answered = 0;
  const turn = (): void =>
    ask(() => {
      answered++;
      turn();
    });
  site.clock.at(0, turn);
  site.clock.runReady(GUIDED);
  return answered;
}

/** Requests that a sweep sends in its throughput run. */
export function sweepRequests(site: Site, lengths: Lengths): number {
  return SWEEP_TIMES * Math.max(1, guidedAlone(site, lengths));
}

/**
 * guidellm's thread draws prompts ahead, up to so many, and finds each by bisecting a text that it
 * tokenises a dozen times: 47 ms with Llama 3's tokenizer on one core.
 */
const DRAWN_AHEAD = 50;
const BISECTION: Nanos = 47e6;

/** guidellm's throughput mode: so many in flight, refilled at each look with what is drawn. */
export function guidedThroughput(
  site: Site,
  lengths: Lengths,
  its: { readonly clients: number; readonly requests: number },
): Run {
  const { clock } = site;
  const ask = asker(site, lengths);
  const counted: Answered[] = [];
  let inFlight = 0;
  let left = its.requests;
  let drawn = DRAWN_AHEAD;
  const look = (): void => {
    for (; inFlight < its.clients && left > 0 && drawn > 0; inFlight++, left--, drawn--) {
      ask((answered) => {
        counted.push(answered);
        inFlight--;
      });
    }
    if (left > 0) clock.at(clock.now() + (inFlight < its.clients ? BISECTION : GUIDED_POLL), look);
  };
  const drawing = (): void => {
    if (drawn < DRAWN_AHEAD) drawn++;
    if (left > 0) clock.at(clock.now() + BISECTION, drawing);
  };
  clock.at(0, look);
  clock.at(BISECTION, drawing);
  clock.runReady(GUIDED);
  return { counted, nanos: spanOf(counted) };
}

/**
 * guidellm's asynchronous mode: one request every `gap`. It too keeps no more than `clients` open, those
 * counted that wait for their time to be sent (scheduler/base.py, _run_async), so that a server asked for
 * more than it answers is asked later, not without end.
 */
export function guidedRate(
  site: Site,
  lengths: Lengths,
  its: { readonly gap: Nanos; readonly clients: number },
): Run {
  const { clock } = site;
  const ask = asker(site, lengths);
  const counted: Answered[] = [];
  let open = 0;
  let sent = 0;
  const look = (): void => {
    const now = clock.now();
    for (; open < its.clients; sent++) {
      const due = Math.round(sent * its.gap);
      if (now >= GUIDED || due >= GUIDED) return;
      open++;
      clock.at(Math.max(now, due), () =>
        ask((answered) => {
          counted.push(answered);
          open--;
        }),
      );
    }
    clock.at(now + GUIDED_POLL, look);
  };
  clock.at(0, look);
  clock.runReady(GUIDED);
  return { counted, nanos: spanOf(counted) };
}

/** llmperf before June 2024 draws each prompt as it sends it, ns: what its tables lose with one request in flight. */
const DRAW: Nanos = 200e6;
/** Its script asks for eight times as many requests as clients. */
const WAVES = 8;

/**
 * llmperf until December 2024: sends so many and waits for all of them; its prompts
 * are drawn one after another (`drawn`), since June 2024 beforehand.
 */
export function waves(
  site: Site,
  lengths: Lengths,
  { requests, drawn }: { readonly requests: number; readonly drawn: boolean },
): Run {
  const { clock } = site;
  const ask = asker(site, lengths);
  const counted: Answered[] = [];
  let ended = 0;
  const wave = (left: number): void => {
    let open = requests;
    for (let index = 0; index < requests; index++) {
      clock.at(clock.now() + (drawn ? (index + 1) * DRAW : 0), () =>
        ask((answered) => {
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

/**
 * From an answer's last byte to the next request in the queue, ns: a round trip over HTTP. Its length hardly
 * matters, that it is not nought does: a server's next step has begun by then.
 */
const TURNAROUND: Nanos = 1e6;

/** Clients that each ask again when answered, until so many requests were sent. */
export function loops(
  site: Site,
  lengths: Lengths,
  its: { readonly clients: number; readonly requests: number },
): Run {
  const { clock } = site;
  const ask = asker(site, lengths);
  const counted: Answered[] = [];
  let left = its.requests;
  const turn = (): void => {
    if (left === 0) return;
    left--;
    ask((answered) => {
      counted.push(answered);
      clock.at(clock.now() + TURNAROUND, turn);
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

/**
 * Three shares a call, spread evenly however few are drawn (a Kronecker sequence over the root of
 * x⁴ = x + 1): the mean of a hundred lengths is the one told, not that of a lucky hundred.
 */
function spread(): () => readonly [number, number, number] {
  const root = 1.2207440846057596;
  let count = 0;
  const share = (power: number): number => (0.5 + count / root ** power) % 1;
  return () => {
    count++;
    return [share(1), share(2), share(3)];
  };
}
