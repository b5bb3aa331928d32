/**
 * What a prefix cache would call a trace's blocks, without their ids: a trace says which blocks
 * are equal, and a hundred million ids need not be made and hashed to find that again.
 *
 *     blocks of the trace    [ 7            ][ 12           ]  own
 *     blocks of the cache    [ 1.0  ][ 1.1  ][ 2.0  ][ 2.1  ][ r5.4 ]
 *
 * A name is the number of the path of trace blocks that leads there, and the place within the last.
 */
/** In smaller blocks two that differ may have equal ids. */
const LEAST_BLOCK = 16;

/** What is read of a trace's request. */
interface Prompt {
  readonly inputTokens: number;
  /** Ids of its blocks; equal leading ids are a shared prefix. */
  readonly blocks?: readonly number[];
}

/** A run of trace blocks from a prompt's start. */
class Path {
  /** Of the cache's blocks in its last one. */
  readonly names: readonly string[];
  /** Most go on with one block alone. */
  #block: number | undefined;
  #next: Path | undefined;
  #others: Map<number, Path> | undefined;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** With one block more. */
  after(block: number, make: () => Path): Path {
    if (this.#block === block && this.#next !== undefined) return this.#next;
    let path = this.#others?.get(block);
    if (path !== undefined) return path;
    path = make();
    if (this.#next === undefined) {
      this.#block = block;
      this.#next = path;
    } else {
      this.#others ??= new Map();
      this.#others.set(block, path);
    }
    return path;
  }
}

export class BlockNames {
  readonly #blockTokens: number | undefined;
  readonly #root = new Path([]);
  #paths = 0;

  /** `blockTokens`: of the trace; absent: it has no blocks. */
  constructor(blockTokens: number | undefined) {
    this.#blockTokens = blockTokens;
  }

  /** Of a prompt's full blocks of `size` tokens, the same size in all calls; undefined: only its ids tell. */
  of(prompt: Prompt, index: number, size: number): readonly string[] | undefined {
    const parts = (this.#blockTokens ?? size) / size;
    if (size < LEAST_BLOCK || !Number.isInteger(parts)) return undefined;
    const count = Math.floor(prompt.inputTokens / size);
    const names: string[] = [];
    let path = this.#root;
    const make = (): Path => new Path(this.#named(parts));
    for (const block of prompt.blocks ?? []) {
      if (names.length >= count) break;
      path = path.after(block, make);
      for (const name of path.names) if (names.length < count) names.push(name);
    }
    while (names.length < count) names.push(`r${index}.${names.length}`);
    return names;
  }

  #named(parts: number): readonly string[] {
    const number = this.#paths++;
    const names: string[] = [];
    for (let part = 0; part < parts; part++) names.push(`${number}.${part}`);
    return names;
  }
}
