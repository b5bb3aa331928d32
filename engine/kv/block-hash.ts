/**
 * A full block's name: vLLM's `sha256_cbor`, so that routers that know vLLM's
 * hashes know ours.
 *
 *     hash(block) = sha256(cbor([hash(parent), [token, …], extra keys | null]))
 *     hash(root)  = sha256(cbor("0"))        as vLLM with PYTHONHASHSEED=0
 *
 * Extra keys: ["lora", name, path] in every block, ["cache_salt", salt] in the first only.
 * Source: vLLM 0.32 v1/core/kv_cache_utils.py (hash_block_tokens), utils/hashing.py.
 */
import type { Adapter } from "../../device/device.ts";

/** 32 bytes as a latin-1 string: compact, and a key of a Map. */
export type BlockHash = string;

/** What a block is called: its hash; or a number, where ids are not known (`UnreadPrompt`). */
export type BlockName = BlockHash | number;

/** SHA-256 of the bytes, which are the caller's again afterwards. Handed in: runtimes have different ones. */
export type Sha256 = (bytes: Uint8Array) => BlockHash;

export interface HashKeys {
  readonly salt?: string;
  readonly adapter?: Adapter;
}

const TEXT = new TextEncoder();
const BYTES = 2;
const STRING = 3;
const ARRAY = 4;
const NULL = 0xf6;

export class BlockHasher {
  /** The parent of a sequence's first block. */
  readonly root: BlockHash;
  readonly #sha256: Sha256;
  /** Grows to the largest block seen; blocks are hashed one at a time. */
  #bytes = new Uint8Array(1024);
  #used = 0;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
    this.#text("0");
    this.root = this.#digest();
  }

  /** Hash of tokens [begin, end), the block after `parent`. */
  hash(
    parent: BlockHash,
    tokens: Int32Array,
    [begin, end]: readonly [number, number],
    keys: HashKeys = {},
  ): BlockHash {
    this.#head(ARRAY, 3);
    this.#head(BYTES, parent.length);
    for (let i = 0; i < parent.length; i++) this.#bytes[this.#used++] = parent.charCodeAt(i);
    this.#head(ARRAY, end - begin);
    this.#unsigned(tokens, begin, end);
    const { adapter, salt } = keys;
    const extra: (readonly string[])[] = [];
    if (adapter !== undefined) extra.push(["lora", adapter.name, adapter.path]);
    if (salt !== undefined && begin === 0) extra.push(["cache_salt", salt]);
    if (extra.length === 0) {
      this.#reserve(1);
      this.#bytes[this.#used++] = NULL;
    } else {
      this.#head(ARRAY, extra.length);
      for (const key of extra) {
        this.#head(ARRAY, key.length);
        for (const part of key) this.#text(part);
      }
    }
    return this.#digest();
  }

  #digest(): BlockHash {
    const written = this.#bytes.subarray(0, this.#used);
    this.#used = 0;
    return this.#sha256(written);
  }

  /** CBOR: major type and argument in the shortest form (RFC 8949 §4.2.1). */
  #head(major: number, value: number): void {
    this.#reserve(5);
    const bytes = this.#bytes;
    const type = major << 5;
    if (value < 24) {
      bytes[this.#used++] = type | value;
    } else if (value < 0x100) {
      bytes[this.#used++] = type | 24;
      bytes[this.#used++] = value;
    } else if (value < 0x10000) {
      bytes[this.#used++] = type | 25;
      bytes[this.#used++] = value >> 8;
      bytes[this.#used++] = value;
    } else {
      bytes[this.#used++] = type | 26;
      bytes[this.#used++] = value >> 24;
      bytes[this.#used++] = value >> 16;
      bytes[this.#used++] = value >> 8;
      bytes[this.#used++] = value;
    }
  }

  /** `#head` of each of tokens [begin, end): what a long prompt's names take most of their time for. */
  #unsigned(tokens: Int32Array, begin: number, end: number): void {
    this.#reserve(5 * (end - begin));
    const bytes = this.#bytes;
    let used = this.#used;
    for (let i = begin; i < end; i++) {
      const id = tokens[i] ?? 0;
      if (id < 24) bytes[used++] = id;
      else if (id < 0x100) {
        bytes[used++] = 24;
        bytes[used++] = id;
      } else {
        const wide = id >= 0x10000;
        bytes[used++] = wide ? 26 : 25;
        if (wide) {
          bytes[used++] = id >> 24;
          bytes[used++] = id >> 16;
        }
        bytes[used++] = id >> 8;
        bytes[used++] = id;
      }
    }
    this.#used = used;
  }

  #text(value: string): void {
    const bytes = TEXT.encode(value);
    this.#head(STRING, bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Room for `count` more bytes, and for a hash of 32 besides. */
  #reserve(count: number): void {
    if (this.#used + count + 64 <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#used + count + 64));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Of a number the bytes of its digits. */
export function hashBytes(name: BlockName): Uint8Array {
  return Uint8Array.from(String(name), (char) => char.charCodeAt(0));
}
