/**
 * Data-parallel ranks of this server. On one host three ways share them out:
 *
 * | flags | this server runs | who balances |
 * |---|---|---|
 * | `--data-parallel-size N` | ranks 0 … N − 1 | this server |
 * | with `--data-parallel-size-local L --data-parallel-start-rank S` (hybrid) | ranks S … S + L − 1 | this server, and one in front of several such |
 * | with `--data-parallel-rank R` (external) | rank R | whoever is in front |
 */
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

/** Ranks [first, first + count) of `size`. */
export interface ParallelRanks {
  readonly first: number;
  readonly count: number;
  readonly size: number;
}

/** Throws SettingsError; what it refuses would need ranks on another host, or none to be alone. */
export function parallelRanks(
  settings: Settings,
  { moe }: { readonly moe: boolean },
): ParallelRanks {
  const size = settings["data-parallel-size"];
  const rank = settings["data-parallel-rank"];
  const start = settings["data-parallel-start-rank"];
  const local = settings["data-parallel-size-local"];
  const hybrid = settings["data-parallel-hybrid-lb"] || start !== undefined;
  if (settings["data-parallel-external-lb"] || rank !== undefined) {
    if (settings["data-parallel-hybrid-lb"]) {
      throw new SettingsError(
        "--data-parallel-hybrid-lb and --data-parallel-external-lb: give one.",
      );
    }
    return external(size, rank, { local, moe });
  }
  if (local === undefined) {
    if (hybrid) {
      throw new SettingsError(
        "--data-parallel-hybrid-lb and --data-parallel-start-rank need --data-parallel-size-local, the ranks of this server.",
      );
    }
    return { first: 0, count: size, size };
  }
  if (local > size) {
    throw new SettingsError(
      `--data-parallel-size-local ${local} is more than --data-parallel-size ${size}.`,
    );
  }
  if (local < size && !hybrid) {
    throw new SettingsError(
      `--data-parallel-size-local ${local} of ${size}: the others would be engines of other hosts, which this server does not lead. Give each server its --data-parallel-start-rank and put a router in front.`,
    );
  }
  return within({ first: start ?? 0, count: local, size }, "data-parallel-start-rank");
}

function external(
  size: number,
  rank: number | undefined,
  { local, moe }: { readonly local: number | undefined; readonly moe: boolean },
): ParallelRanks {
  if (rank === undefined) {
    throw new SettingsError("--data-parallel-external-lb needs --data-parallel-rank.");
  }
  if (local !== undefined && local !== 1) {
    throw new SettingsError(
      `--data-parallel-rank is one rank: --data-parallel-size-local must be 1, got ${local}.`,
    );
  }
  // As vLLM: nothing binds such servers to each other.
  if (size > 1 && !moe) {
    throw new SettingsError(
      "--data-parallel-rank: models without experts are balanced from outside as independent servers, without --data-parallel flags.",
    );
  }
  return within({ first: rank, count: 1, size }, "data-parallel-rank");
}

function within(ranks: ParallelRanks, flag: string): ParallelRanks {
  const { first, count, size } = ranks;
  if (first + count <= size) return ranks;
  throw new SettingsError(
    `--${flag} ${first} is out of range: of ${size} ranks ${count} begin at ${size - count} at most.`,
  );
}
