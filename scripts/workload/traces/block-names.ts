/**
 * What a prefix cache would call a trace's blocks, without their ids: a trace says which blocks
 * are equal, and a hundred million ids need not be made and hashed to find that again.
 *
 *     blocks of the trace    [ 7    ][ 12   ]  own
 *     blocks of the cache    [ 0 ][ 1 ][ 2 ][ 3 ][ 4 ]
 *
 * Names are numbers: each path of trace blocks has as many as its last block has blocks of the cache.
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
  /** Name of the first of the cache's blocks in its last one. */
  readonly first: number;
  /** Most go on with one block alone. */
  #block: number | undefined;
  #next: Path | undefined;
  #others: Map<number, Path> | undefined;

  constructor(first: number) {
    this.first = first;
  }

  /** With one block more; undefined: nobody went there yet. */
  after(block: number): Path | undefined {
    return this.#block === block ? this.#next : this.#others?.get(block);
  }

  add(block: number, path: Path): void {
    if (this.#next === undefined) {
      this.#block = block;
      this.#next = path;
      return;
    }
    this.#others ??= new Map();
    this.#others.set(block, path);
  }
}

export class BlockNames {
  readonly #blockTokens: number | undefined;
  readonly #root = new Path(-1);
  /** By request: the first name of what is its own. */
  readonly #own: number[] = [];
  #next = 0;

  /** `blockTokens`: of the trace; absent: it has no blocks. */
  constructor(blockTokens: number | undefined) {
    this.#blockTokens = blockTokens;
  }

  /** Of a prompt's full blocks of `size` tokens, the same size in all calls; undefined: only its ids tell. */
  of(prompt: Prompt, index: number, size: number): readonly number[] | undefined {
    const parts = (this.#blockTokens ?? size) / size;
    if (size < LEAST_BLOCK || !Number.isInteger(parts)) return undefined;
    const { blocks = [] } = prompt;
    const count = Math.floor(prompt.inputTokens / size);
    const names = new Array<number>(count);
    let named = 0;
    let path = this.#root;
    for (let at = 0; at < blocks.length && named < count; at++) {
      path = this.#after(path, blocks[at] ?? 0, parts);
      const end = Math.min(count, named + parts);
      for (let name = path.first; named < end; name++) names[named++] = name;
    }
    if (named === count) return names;
    this.#own[index] ??= this.#take(count - named);
    for (let name = this.#own[index] ?? 0; named < count; name++) names[named++] = name;
    return names;
  }

  #after(path: Path, block: number, parts: number): Path {
    const known = path.after(block);
    if (known !== undefined) return known;
    const made = new Path(this.#take(parts));
    path.add(block, made);
    return made;
  }

  #take(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }
}
