/**
 * Who holds blocks: ids in order, the blocks that hold their K and V, and what is
 * known of both. The cache sees this much of a sequence and nothing of its turn.
 *
 *     blocks   [ found in the cache | its own ............ ]
 *               shared, full          the last may be partial
 */
import type { BlockId, SequenceId } from "../../device/device.ts";
import type { BlockName, HashKeys } from "./block-hash.ts";
import type { PrefixMatch } from "./prefix-match.ts";

export interface Holder extends HashKeys {
  readonly id: SequenceId;
  readonly tokens: Int32Array;
  /** Its ids are not known: the prompt's full blocks have their names from the start. */
  readonly unread: boolean;
  readonly promptLength: number;
  /** Tokens whose ids are known: the prompt and what was sampled. */
  readonly known: number;
  /** Tokens that need a place: those known, and those being sampled by steps in flight. */
  readonly length: number;
  /** Every position has to be computed, whoever else computed it before. */
  readonly computesAll: boolean;
  /** Tokens whose K and V came with it, and are written once it has blocks. */
  readonly received: number;
  /** Tokens whose K and V are in the cache, or will be when the steps in flight end. */
  computed: number;
  /** Only appended to, or replaced: a batch may hold it. */
  blocks: BlockId[];
  /** Names of its full blocks, as far as known; the first `published` were offered to the cache. */
  readonly hashes: BlockName[];
  published: number;
  /** While it waits: what was found of it in the cache. */
  match: PrefixMatch | undefined;
}
