/** The words of `batch_or_concurrency` and `engine_batch` → who asks, how often, of how many seats. */
import { COUNT, Refusal, Words } from "./words.ts";

export interface Load {
  readonly loop: "single" | "closed" | "open" | "burst" | undefined;
  /** Clients, or rows of a static batch, when told. */
  readonly clients: number | undefined;
  /** Mean requests in flight by Little's law: fewer than the clients. */
  readonly inFlight: number | undefined;
  /** Requests a second. */
  readonly rate: number | undefined;
  /** Is it the asynchronous run of a guidellm sweep? */
  readonly swept: boolean;
  /** Requests of the whole run, when told. */
  readonly requests: number | undefined;
}

const RATE =
  /@?\s*(\d+(?:\.\d+)?)\s*(?:req(?:uest)?s?|rps|qps)\s*(?:\/|per\s+)?\s*(?:s(?:ec(?:ond)?)?)?\b|\brate\s*[=:]?\s*(\d+(?:\.\d+)?)/i;
const UNLIMITED = /\brate\s*[=:]?\s*(?:inf(?:inite|inity)?|unlimited|max)\b/i;

const WHO = String.raw`(?:clients?|users?|streams?|concurren\w*|requests?\s+at\s+once|live|parallel|workers?|seats?|sessions?|seqs?|sequences)`;
const BEFORE = String.raw`(?:max[\s_-]*)?(?:concurrency|concurrent|clients|users|batch(?:[\s_-]*size)?|bs|num[\s_-]seqs|c)`;

export function readLoad(text: string): [Load, Words] {
  const words = new Words("batch_or_concurrency", text);
  const inFlight = numberIn(words, /\bin[\s-]flight\s*[=:]?\s*(\d+(?:\.\d+)?)/i);
  words.takes(/\brate\s*[=:]?\s*(?=\d+(?:\.\d+)?\s*(?:req|rps|qps))/i);
  const burst = words.takes(UNLIMITED);
  const rate = numberIn(words, RATE);
  const swept = words.takes(/\basynchronous\b/i);
  const open =
    words.takes(/\bopen[\s-]loop\b|\bpoisson\b|\bconstant\b/i) ||
    swept ||
    (rate !== undefined && !burst);
  const closed = words.takes(/\bclosed[\s-]loop\b|\bthroughput\b/i);
  const single = words.takes(
    /\bsynchronous\b|\bsingle[\s-](?:stream|user|request)\b|\bsequential\b/i,
  );
  const statical = words.takes(/\bstatic(?:[\s-]batch)?\b|\boffline\b/i);
  const requests = words.count(new RegExp(String.raw`(${COUNT})\s*(?:prompts?|requests?)\b`, "i"));
  const clients =
    words.count(new RegExp(String.raw`(${COUNT})\s*${WHO}`, "i")) ??
    words.count(new RegExp(String.raw`\b${BEFORE}\s*[=:]?\s*(${COUNT})`, "i")) ??
    words.count(new RegExp(`(${COUNT})`));
  words.takes(
    new RegExp(
      String.raw`\b(?:${WHO}|${BEFORE}|batch|size|max|mean|sweep|guidellm|llmperf)\b`,
      "i",
    ),
  );
  if (open && rate === undefined) throw new Refusal(`an open loop without a rate ("${text}")`);
  return [
    {
      loop: open
        ? "open"
        : burst
          ? "burst"
          : closed
            ? "closed"
            : single
              ? "single"
              : statical
                ? undefined
                : undefined,
      clients: clients ?? (single ? 1 : undefined),
      inFlight,
      rate: open ? rate : undefined,
      swept,
      requests,
    },
    words,
  ];
}

export interface Seats {
  /** Rows that the graph is compiled for, of one replica. */
  readonly batch: number | undefined;
  /** Row buckets, when several are named. */
  readonly buckets: readonly number[] | undefined;
  /** Engines side by side. */
  readonly replicas: number | undefined;
}

export function readSeats(text: string): [Seats, Words] {
  const words = new Words("engine_batch", text);
  const list = words.take(/\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]/)?.[1];
  const buckets = list?.split(",").map(Number);
  const replicas =
    words.count(/\bd\.?p\s*[=:-]?\s*(\d+)\b/i) ?? words.count(/(\d+)\s*replicas?\b/i);
  words.takes(/\(\s*(?:total\s*)?\d+\s*\)|\bauto\b|\bep floor\b/i);
  words.takes(/\b\d+\s*\(?(?:ctx|cte|context|prefill)\)?/i);
  words.count(/\b(?:ctx|context|prefill|cte)(?:[\s_-]*batch(?:[\s_-]*size)?)?\s*[=:]?\s*(\d+)/i);
  const batch =
    words.count(
      /\b(?:tkg|token[\s_-]generation|decode)(?:[\s_-]*batch(?:[\s_-]*size)?)?\s*[=:]?\s*(\d+)/i,
    ) ??
    words.count(/(\d+)\s*\(?(?:tkg|decode)\)?/i) ??
    words.count(
      /\b(?:max[\s_-]*)?(?:num[\s_-]*seqs?|batch(?:[\s_-]*size)?|bs|b)\s*[=:]?\s*(\d+)/i,
    ) ??
    words.count(new RegExp(`(${COUNT})`));
  words.takes(
    /\b(?:rank|rows?|seats?|seqs?|compiled|static|continuous|batching|batch|size|max|dp|replicas?|buckets?)\b/i,
  );
  return [{ batch: batch ?? buckets?.at(-1), buckets, replicas }, words];
}

function numberIn(words: Words, pattern: RegExp): number | undefined {
  const found = words.take(pattern);
  const text = found?.slice(1).find((group) => group !== undefined);
  return text === undefined ? undefined : Number(text);
}
