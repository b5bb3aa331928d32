/**
 * Temperature, min_p, top_k, top_p and the draw, in vLLM's order, where any of them leaves ids
 * out; where none does, device/logits.ts draws. min_p and top_k
 * are thresholds on the logits, so one pass gathers the candidates; top_p orders
 * them by bins of 1/16 nat and sorts only the bin where the mass is reached. The
 * vocabulary is never copied or sorted.
 */
import type { TokenId } from "../../device/device.ts";
import { expMinus } from "../../device/exp-minus.ts";
import type { SamplingParams } from "../sequence.ts";

/** Below e^−40 of the likeliest, 10^6 ids together weigh less than a double's last bit. */
const NEGLIGIBLE_NATS = 40;
const BINS_PER_NAT = 16;
const BINS = NEGLIGIBLE_NATS * BINS_PER_NAT + 1;

/** Up to this k a heap of k logits finds the k-th largest; above, selection on a copy. */
const HEAP_K = 256;

/** Whether any id of `size` may be left out. */
export function truncates({ minP, topK, topP }: SamplingParams, size: number): boolean {
  return topP < 1 || minP > 0 || (topK > 0 && topK < size);
}

/** Reused from row to row; grows to the largest vocabulary. */
export class Candidates {
  count = 0;
  total = 0;
  ids = new Int32Array(0);
  weights = new Float64Array(0);
  /** Of each candidate, when top_p asks for it: its distance to the likeliest, in bins. */
  #bins = new Uint16Array(0);
  readonly #binMass = new Float64Array(BINS);
  #copy = new Float32Array(0);
  #heap = new Float32Array(HEAP_K);

  /** Keeps what may be drawn. False when no logit is finite. */
  gather(logits: Float32Array, params: SamplingParams): boolean {
    const size = logits.length;
    if (this.ids.length < size) {
      this.ids = new Int32Array(size);
      this.weights = new Float64Array(size);
      this.#bins = new Uint16Array(size);
    }
    this.count = 0;
    this.total = 0;
    const { top, floor } = this.#bounds(logits, params);
    if (!Number.isFinite(top)) return false;
    const scale = 1 / params.temperature;
    const { ids, weights } = this;
    const bins = this.#bins;
    const massOf = this.#binMass;
    const nucleus = params.topP < 1;
    if (nucleus) massOf.fill(0);
    let count = 0;
    let total = 0;
    for (let id = 0; id < size; id++) {
      const value = logits[id] as number; // id < size
      if (!(value >= floor)) continue; // NaN is not
      const nats = (top - value) * scale;
      const weight = expMinus(nats);
      ids[count] = id;
      weights[count] = weight;
      total += weight;
      if (nucleus) {
        const bin = (nats * BINS_PER_NAT) | 0;
        bins[count] = bin;
        massOf[bin] = (massOf[bin] as number) + weight;
      }
      count++;
    }
    this.count = count;
    this.total = total;
    if (nucleus) this.#nucleus(params.topP);
    return true;
  }

  /** The id at `u` of the mass, 0 ≤ u < 1. */
  at(u: number): TokenId {
    const target = u * this.total;
    let sum = 0;
    for (let i = 0; i < this.count; i++) {
      sum += this.weights[i] as number; // i < count
      if (sum > target) return this.ids[i] as number;
    }
    return this.ids[this.count - 1] as number; // rounding left a last bit of mass
  }

  /** The largest logit, and the least that stays. */
  #bounds(logits: Float32Array, { temperature, minP, topK }: SamplingParams) {
    const cuts = topK > 0 && topK < logits.length;
    const byHeap = cuts && topK <= HEAP_K;
    let edge = Number.NEGATIVE_INFINITY;
    let top = Number.NEGATIVE_INFINITY;
    if (byHeap) {
      const heap = this.#heap.subarray(0, topK);
      edge = smallestOfLargest(logits, heap);
      for (const value of heap) if (value > top) top = value;
    } else {
      for (let id = 0; id < logits.length; id++) {
        const value = logits[id] as number; // id < length
        if (value > top) top = value;
      }
      if (cuts) edge = this.#select(logits, topK);
    }
    const least = minP > 0 ? Math.log(minP) : -NEGLIGIBLE_NATS;
    const floor = top + temperature * Math.max(least, -NEGLIGIBLE_NATS);
    return { top, floor: Math.max(floor, edge) };
  }

  #select(logits: Float32Array, k: number): number {
    if (this.#copy.length !== logits.length) this.#copy = new Float32Array(logits.length);
    this.#copy.set(logits);
    return select(this.#copy, k);
  }

  /** Keeps the fewest candidates, likeliest first, whose mass reaches `share`; at least one. */
  #nucleus(share: number): void {
    const { ids, weights } = this;
    const bins = this.#bins;
    const massOf = this.#binMass;
    const wanted = share * this.total;
    let mass = 0;
    let edge = 0;
    while (edge < BINS - 1 && mass + (massOf[edge] as number) < wanted) {
      mass += massOf[edge++] as number;
    }
    const atEdge: { readonly id: TokenId; readonly weight: number }[] = [];
    let count = 0;
    for (let i = 0; i < this.count; i++) {
      const bin = bins[i] as number; // i < count
      if (bin > edge) continue;
      const id = ids[i] as number;
      const weight = weights[i] as number;
      if (bin === edge) {
        atEdge.push({ id, weight });
        continue;
      }
      ids[count] = id;
      weights[count++] = weight;
    }
    atEdge.sort((a, b) => b.weight - a.weight || a.id - b.id);
    for (const { id, weight } of atEdge) {
      if (mass >= wanted && count > 0) break;
      ids[count] = id;
      weights[count++] = weight;
      mass += weight;
    }
    this.count = count;
    this.total = mass;
  }
}

/** The k-th largest value by a min-heap of k, `heap.length` = k. */
export function smallestOfLargest(values: Float32Array, heap: Float32Array): number {
  const k = heap.length;
  heap.fill(Number.NEGATIVE_INFINITY);
  let root = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number; // i < length
    if (!(value > root)) continue; // NaN is not
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && (heap[child + 1] as number) < (heap[child] as number)) child++;
      const below = heap[child] as number; // child < k
      if (below >= value) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = value;
    root = heap[0] as number;
  }
  return root;
}

/** The k-th largest value; reorders `values` (Hoare's selection, median of three). */
function select(values: Float32Array, k: number): number {
  let low = 0;
  let high = values.length - 1;
  const target = k - 1;
  while (low < high) {
    const pivot = medianOf(
      values[low] as number,
      values[(low + high) >> 1] as number,
      values[high] as number,
    );
    let i = low;
    let j = high;
    while (i <= j) {
      while ((values[i] as number) > pivot) i++;
      while ((values[j] as number) < pivot) j--;
      if (i > j) break;
      const swapped = values[i] as number;
      values[i++] = values[j] as number;
      values[j--] = swapped;
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return values[target] as number;
}

function medianOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
