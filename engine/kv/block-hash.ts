/**
 * A full block's name: vLLM's `sha256_cbor`, so that routers that know vLLM's
 * hashes know ours.
 *
 *     hash(block) = sha256(cbor([hash(parent), [token, …], extra keys | null]))
 *     hash(root)  = sha256(cbor("0"))        as vLLM with PYTHONHASHSEED=0
 *
 * Extra keys: the adapter's name in every block, the salt in the first only.
 * Source: vLLM v1/core/kv_cache_utils.py (hash_block_tokens), utils/hashing.py.
 */
import { hash } from "node:crypto";

/** 32 bytes as a latin-1 string: compact, and a key of a Map. */
export type BlockHash = string;

export interface HashKeys {
  readonly salt?: string;
  readonly adapter?: string;
}

const TEXT = new TextEncoder();
const UNSIGNED = 0;
const BYTES = 2;
const STRING = 3;
const ARRAY = 4;
const NULL = 0xf6;

/** Grows to the largest block seen; blocks are hashed one at a time. */
let scratch = new Uint8Array(1024);
let used = 0;

export const ROOT_HASH: BlockHash = hashText("0");

/** Hash of tokens [begin, end), the block after `parent`. */
export function hashBlock(
  parent: BlockHash,
  tokens: Int32Array,
  [begin, end]: readonly [number, number],
  keys: HashKeys = {},
): BlockHash {
  used = 0;
  head(ARRAY, 3);
  head(BYTES, parent.length);
  for (let i = 0; i < parent.length; i++) scratch[used++] = parent.charCodeAt(i);
  head(ARRAY, end - begin);
  for (let i = begin; i < end; i++) head(UNSIGNED, tokens[i] ?? 0);
  const extra: string[] = [];
  if (keys.adapter !== undefined) extra.push(keys.adapter);
  if (keys.salt !== undefined && begin === 0) extra.push(keys.salt);
  if (extra.length === 0) {
    reserve(1);
    scratch[used++] = NULL;
  } else {
    head(ARRAY, extra.length);
    for (const key of extra) text(key);
  }
  return digest();
}

export function hashBytes(blockHash: BlockHash): Uint8Array {
  return Uint8Array.from(blockHash, (char) => char.charCodeAt(0));
}

function hashText(value: string): BlockHash {
  used = 0;
  text(value);
  return digest();
}

function digest(): BlockHash {
  return hash("sha256", scratch.subarray(0, used), "binary");
}

/** CBOR: major type and argument in the shortest form (RFC 8949 §4.2.1). */
function head(major: number, value: number): void {
  reserve(5);
  const type = major << 5;
  if (value < 24) {
    scratch[used++] = type | value;
  } else if (value < 0x100) {
    scratch[used++] = type | 24;
    scratch[used++] = value;
  } else if (value < 0x10000) {
    scratch[used++] = type | 25;
    scratch[used++] = value >> 8;
    scratch[used++] = value;
  } else {
    scratch[used++] = type | 26;
    scratch[used++] = value >> 24;
    scratch[used++] = value >> 16;
    scratch[used++] = value >> 8;
    scratch[used++] = value;
  }
}

function text(value: string): void {
  const bytes = TEXT.encode(value);
  head(STRING, bytes.length);
  reserve(bytes.length);
  scratch.set(bytes, used);
  used += bytes.length;
}

/** Room for `count` more bytes, and for a hash of 32 besides. */
function reserve(count: number): void {
  if (used + count + 64 <= scratch.length) return;
  const grown = new Uint8Array(2 * (used + count + 64));
  grown.set(scratch);
  scratch = grown;
}
