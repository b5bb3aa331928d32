/** What the client asks a server beside generating: models, tokens, counters, readiness. */
import type { Notice } from "../../server/metrics/hygiene.ts";
import type { Words } from "../workload/request.ts";
import { ask, askJson, type ServerAccess } from "./ask.ts";
import type { SpeculationCounts } from "./result.ts";

export interface ServedModel {
  readonly id: string;
  /** What it was loaded from; the id when the server does not say. */
  readonly root: string;
  readonly maxModelLen?: number;
  /** Who made the server, as it says: `vllm`, `trainyard`. */
  readonly ownedBy?: string;
  /** What is simulated, where the server says that something is. */
  readonly simulation?: string;
  /** The whole entry but what changes with each call. */
  readonly entry: Readonly<Record<string, unknown>>;
}

/** First of GET /v1/models. Throws with the URL when there is none. */
export async function servedModel(server: ServerAccess): Promise<ServedModel> {
  const url = `${withoutUser(server.baseUrl)}/v1/models`;
  const reply = await ask(server, "/v1/models").catch((error: unknown) => {
    throw new Error(`No server at ${url}: ${error instanceof Error ? causeOf(error) : error}`);
  });
  if (!reply.ok) throw new Error(`GET ${url} answered ${reply.status}.`);
  const body = JSON.parse(reply.text) as {
    data?: readonly {
      id?: string;
      root?: string | null;
      max_model_len?: number | null;
      owned_by?: string;
      simulation?: string;
      created?: unknown;
      permission?: unknown;
    }[];
  };
  const first = body.data?.[0];
  if (first?.id === undefined) throw new Error(`GET ${url} lists no model.`);
  const { created: _created, permission: _permission, ...entry } = first;
  return {
    id: first.id,
    root: first.root ?? first.id,
    entry,
    ...(first.owned_by === undefined ? {} : { ownedBy: first.owned_by }),
    ...(first.simulation === undefined ? {} : { simulation: first.simulation }),
    ...(typeof first.max_model_len === "number" ? { maxModelLen: first.max_model_len } : {}),
  };
}

/**
 * What the server says of its own settings: version, model entry and the fingerprint
 * that it sends with an answer. Equal words, the same server for a measurement.
 */
export async function serverSettings(server: ServerAccess, model: ServedModel): Promise<unknown> {
  const version = await askJson(server, "/version");
  const answer = await askJson(server, "/v1/completions", {
    model: model.id,
    // A prompt of its own, so that no measured one is found in a cache.
    prompt: `Settings at ${Date.now()}?`,
    max_tokens: 1,
  });
  const fingerprint = (answer as { system_fingerprint?: unknown } | undefined)?.system_fingerprint;
  return [model.entry, version ?? null, fingerprint ?? null];
}

/** POST /tokenize; undefined when the server has no such route. */
export async function serverTokenize(
  server: ServerAccess,
  model: string,
  text: string,
): Promise<Int32Array | undefined> {
  const body = await askJson(server, "/tokenize", {
    model,
    prompt: text,
    add_special_tokens: false,
  });
  const { tokens } = (body ?? {}) as { tokens?: readonly number[] };
  return tokens === undefined ? undefined : Int32Array.from(tokens);
}

async function serverDetokenize(
  server: ServerAccess,
  model: string,
  ids: Int32Array,
): Promise<string> {
  const reply = await ask(server, "/detokenize", { model, tokens: Array.from(ids) });
  if (!reply.ok) throw new Error(`POST /detokenize answered ${reply.status}.`);
  return (JSON.parse(reply.text) as { prompt?: string }).prompt ?? "";
}

/** Plain words, nearly all of them one token in any English vocabulary. */
export const SAMPLE_WORDS =
  " time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city community name president team minute idea kid body information back parent face others level office door health person art war history party result change morning reason research girl guy moment air teacher force education";

/** Words of a server that tokenises: random prompts draw from the ids of common words. */
export async function serverWords(server: ServerAccess, model: string): Promise<Words | undefined> {
  const sample = await serverTokenize(server, model, SAMPLE_WORDS);
  if (sample === undefined || sample.length === 0) return undefined;
  const ids = [...new Set(sample)];
  return {
    ids: { length: ids.length, at: (index) => ids[index] ?? 0 },
    encode: async (text) => {
      const tokens = await serverTokenize(server, model, text);
      if (tokens === undefined) throw new Error("POST /tokenize stopped answering.");
      return tokens;
    },
    decode: (tokens) => serverDetokenize(server, model, tokens),
  };
}

/**
 * What a server notices of the requests between this call and that of the function
 * it gives; of a server without GET /hygiene: nothing.
 */
export async function watchServer(
  server: ServerAccess,
  concurrency?: number,
): Promise<() => Promise<readonly Notice[]>> {
  const at = async (query: string) =>
    (await askJson(server, `/hygiene${query}`)) as
      | { now: number; notices: readonly Notice[] } // server/ops/hygiene.ts
      | undefined;
  const began = await at("");
  if (began === undefined) return async () => [];
  const claim = concurrency === undefined ? "" : `&concurrency=${concurrency}`;
  // A server that died meanwhile has nothing to say; what was measured stands.
  return async () => (await at(`?since=${began.now}${claim}`))?.notices ?? [];
}

/** Reads the speculation counters of GET /metrics; undefined when there are none. */
export async function speculationCounters(
  server: ServerAccess,
): Promise<SpeculationCounts | undefined> {
  const reply = await ask(server, "/metrics").catch(() => undefined);
  return reply?.ok === true ? parseSpeculation(reply.text) : undefined;
}

export function parseSpeculation(metrics: string): SpeculationCounts | undefined {
  const sums = { drafts: 0, draft_tokens: 0, accepted_tokens: 0 };
  const perPosition: number[] = [];
  let found = false;
  for (const line of metrics.split("\n")) {
    const match =
      /^vllm:spec_decode_num_(drafts|draft_tokens|accepted_tokens|accepted_tokens_per_pos)_total(\{[^}]*\})? (\S+)/.exec(
        line,
      );
    if (match === null) continue;
    found = true;
    const [, name, labels, value] = match;
    if (name === "accepted_tokens_per_pos") {
      const position = Number(/position="(\d+)"/.exec(labels ?? "")?.[1] ?? 0);
      perPosition[position] = (perPosition[position] ?? 0) + Number(value);
    } else if (name === "drafts" || name === "draft_tokens" || name === "accepted_tokens") {
      sums[name] += Number(value);
    }
  }
  if (!found) return undefined;
  return {
    drafts: sums.drafts,
    draftTokens: sums.draft_tokens,
    acceptedTokens: sums.accepted_tokens,
    perPosition: Array.from(perPosition, (count) => count ?? 0),
  };
}

/** What was counted between two readings; undefined when nothing was drafted. */
export function speculationBetween(
  before: SpeculationCounts | undefined,
  after: SpeculationCounts | undefined,
): SpeculationCounts | undefined {
  if (after === undefined) return undefined;
  const drafts = after.drafts - (before?.drafts ?? 0);
  if (drafts <= 0) return undefined;
  return {
    drafts,
    draftTokens: after.draftTokens - (before?.draftTokens ?? 0),
    acceptedTokens: after.acceptedTokens - (before?.acceptedTokens ?? 0),
    perPosition: after.perPosition.map(
      (count, position) => count - (before?.perPosition[position] ?? 0),
    ),
  };
}

/** A refused connection to several addresses says why in its parts only. */
function causeOf(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? first.message : error.message;
}

/** A URL without the name and password that it may carry. */
export function withoutUser(text: string): string {
  return text.replace(/(:\/\/)[^/@\s]+@/g, "$1");
}
