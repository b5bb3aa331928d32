/**
 * Lowers a segment to an ONNX graph. Values are `[tokens, width]` F32 matrices;
 * weights keep their checkpoint layout `[out, in]`, so F32 weights can be mapped
 * from the file as they lie there. Every op treats each row apart and sums in an
 * order that does not depend on the other rows (int4 excepted, see README).
 */
import type {
  Activation,
  AddOp,
  GatedActivationOp,
  RmsNormOp,
  Value,
  Weight,
} from "../../../models/ops.ts";
import type { BuiltGraph, FileRange, Keep } from "./builder.ts";
import { GraphBuilder } from "./builder.ts";
import { IntegerProducts } from "./integer-product.ts";
import {
  type BlockBits,
  type BlockWeight,
  blockOf,
  type Int8Weight,
  quantiseBlocks,
  quantiseInt8,
} from "./quantise.ts";
import type { Rounding } from "./rounding.ts";
import type { ShardReader } from "./shard-reader.ts";
import type { PerHead, Products, Segment, SegmentOp } from "./steps.ts";
import type { StoredBlocks } from "./stored-blocks.ts";
import { type BlockProduct, OUTPUTS_TOGETHER } from "./unpacked.ts";

/** Format of the products' weights. `stored`: integers in groups as they were published, else F32. int8 has a scale for each output and computes in integers, invariant of the batch. */
export type Format = "none" | "stored" | "int4" | "int8";

/** w8a16 does without the runtime: for a model so small that its nodes are most of a step (kernel/segment.ts). */
export type Quantization = Format | "w8a16";

/** A matrix that is larger in F32 is converted in parts: so much is held beside what came before. */
const PART_BYTES = 1 << 25;

/** Where weights go that are converted, and what is to be known of it. */
export interface Conversion {
  /** Of int4's blocks (plan.ts); absent: 4. */
  readonly blockBits?: BlockBits | undefined;
  readonly keep?: Keep;
  readonly rounding?: Rounding | undefined;
  /** Told of each int4 product where its weights were put. */
  readonly onBlocks?: (product: BlockProduct) => void;
  /** int8 weights and their scales are inputs of the graph, named as `fedNames` says. */
  readonly fed?: boolean;
}

export interface Lowered extends BuiltGraph {
  /** Its weights are mapped from the checkpoint as they lie there. */
  readonly mapped: boolean;
}

export function lowerSegment(
  segment: Segment,
  weights: ShardReader,
  quantization: Format,
  conversion: Conversion = {},
): Lowered {
  const lowering = new Lowering(segment, weights, quantization, conversion);
  // What is kept elsewhere is written at once.
  return lowering.keeps ? weights.overwriting(() => lowering.build()) : lowering.build();
}

class Lowering {
  readonly #segment: Segment;
  readonly #weights: ShardReader;
  readonly #quantization: Format;
  readonly #graph: GraphBuilder;
  /** Large weights are written to a file. */
  readonly keeps: boolean;
  readonly #rounding: Rounding | undefined;
  readonly #blockBits: BlockBits;
  readonly #conversion: Conversion;
  /** All matrices of the segment lie in their file as the graph wants them. */
  readonly #mapped: boolean;
  /** Norms that were computed with the sum they read. */
  readonly #done = new Set<SegmentOp>();
  readonly #integers: IntegerProducts;

  constructor(
    segment: Segment,
    weights: ShardReader,
    quantization: Format,
    conversion: Conversion,
  ) {
    const { keep, rounding, blockBits = 4 } = conversion;
    this.#conversion = conversion;
    this.#segment = segment;
    this.#weights = weights;
    this.#quantization = quantization;
    this.#rounding = rounding;
    this.#blockBits = blockBits;
    this.#mapped =
      quantization === "none" &&
      segment.ops.flatMap(matricesOf).every((weight) => weights.range(weight) !== undefined);
    // A graph maps from one folder: its checkpoint's, or where converted weights are kept.
    this.keeps = keep !== undefined && !this.#mapped;
    this.#graph = new GraphBuilder(segment.name, this.#mapped ? undefined : keep);
    this.#integers = new IntegerProducts(this.#graph);
  }

  build(): Lowered {
    const { ops, inputs, outputs } = this.#segment;
    for (const { name, width } of inputs) {
      this.#graph.input({ name, type: "float", shape: ["tokens", width] });
    }
    for (const op of ops) this.#lower(op);
    for (const { name, width } of outputs) {
      this.#graph.output({ name, type: "float", shape: ["tokens", width] });
    }
    return { ...this.#graph.build(), mapped: this.#mapped };
  }

  #lower(op: SegmentOp): void {
    if (this.#done.has(op)) return;
    switch (op.op) {
      case "rms-norm":
        this.#norm(op);
        return;
      case "products":
        this.#products(op);
        return;
      case "gated-activation":
        this.#activation(op);
        return;
      case "add":
        this.#add(op);
        return;
      case "per-head":
        this.#perHead(op);
        return;
      case "join":
        this.#graph.node("Concat", op.in, { axis: 1 }, op.out);
    }
  }

  /** With the norm that reads the sum, where there is one: one pass over memory. */
  #add(op: AddOp): void {
    const graph = this.#graph;
    const norm = this.#segment.ops.find((each) => each.op === "rms-norm" && each.in === op.out);
    const b = op.scale === undefined ? op.b : graph.node("Mul", [op.b, graph.scalar(op.scale)]);
    if (norm?.op !== "rms-norm" || norm.heads !== undefined) {
      graph.node("Add", [op.a, b], {}, op.out);
      return;
    }
    const weight = this.#normWeight(norm);
    graph.nodes(
      "ms.SkipSimplifiedLayerNormalization",
      [op.a, b, weight],
      [norm.out, "", "", op.out],
      { epsilon: { float: norm.eps } },
    );
    this.#done.add(norm);
  }

  #norm(op: RmsNormOp): void {
    const graph = this.#graph;
    const size = op.width;
    const weight = this.#normWeight(op);
    const attributes = { axis: -1, epsilon: { float: op.eps } };
    if (op.heads === undefined) {
      graph.node("SimplifiedLayerNormalization", [op.in, weight], attributes, op.out);
      return;
    }
    const heads = graph.node("Reshape", [op.in, graph.ints(-1, size)]);
    const normed = graph.node("SimplifiedLayerNormalization", [heads, weight], attributes);
    // The input's own shape is not known here by heads: [tokens · heads, size] → [tokens, heads · size].
    graph.node("Reshape", [normed, graph.node("Shape", [op.in])], {}, op.out);
  }

  #activation(op: GatedActivationOp): void {
    const graph = this.#graph;
    const { kind, limit, alpha = 1.702 } = op.activation;
    if (kind !== "swiglu-oai") {
      graph.node("Mul", [this.#activate(kind, op.gate), op.up], {}, op.out);
      return;
    }
    const most = limit === undefined ? undefined : graph.scalar(limit);
    const gate = most === undefined ? op.gate : graph.node("Min", [op.gate, most]);
    const up =
      most === undefined ? op.up : graph.node("Clip", [op.up, graph.scalar(-(limit ?? 0)), most]);
    const glu = graph.node("ms.QuickGelu", [gate], { alpha: { float: alpha } });
    graph.node("Mul", [glu, graph.node("Add", [up, graph.scalar(1)])], {}, op.out);
  }

  #activate(kind: Exclude<Activation["kind"], "swiglu-oai">, value: Value): string {
    switch (kind) {
      case "silu":
        return this.#graph.node("ms.QuickGelu", [value], { alpha: { float: 1 } });
      case "sigmoid":
        return this.#graph.node("Sigmoid", [value]);
      case "gelu":
        return this.#graph.node("ms.Gelu", [value]);
      case "gelu-tanh":
        return this.#graph.node("Gelu", [value], { approximate: "tanh" });
    }
  }

  #products(op: Products): void {
    if (op.scale === undefined) {
      this.#product(op);
      return;
    }
    const graph = this.#graph;
    const { scale, ...plain } = op;
    const out = graph.fresh(op.out);
    this.#product({ ...plain, out });
    graph.node("Mul", [out, graph.scalar(scale)], {}, op.out);
  }

  #product(op: Products): void {
    const [part] = op.parts;
    if (part === undefined || op.parts.length > 1 || part.weight.within?.transposed) {
      const whole = op.exact || this.#quantization !== "stored" || this.#weights.alike(op.parts);
      if (whole) this.#whole(op);
      else this.#apart(op);
      return;
    }
    const { rows, width } = this.#weights.size(part.weight);
    const many = Math.floor(PART_BYTES / (4 * width));
    const most = many - (many % OUTPUTS_TOGETHER) || many;
    if (rows <= most) {
      this.#whole(op);
      return;
    }
    const outs = this.#weights.cut(part, most).map((each) => {
      const out = this.#graph.fresh(op.out);
      this.#whole({ ...op, out, parts: [{ path: part.path, ...each }] });
      return out;
    });
    this.#graph.node("Concat", outs, { axis: 1 }, op.out);
  }

  /** Parts that lie in unlike blocks, side by side. */
  #apart(op: Products): void {
    const outs = op.parts.map((part) => {
      const out = this.#graph.fresh(op.out);
      this.#product({ ...op, out, parts: [part] });
      return out;
    });
    this.#graph.node("Concat", outs, { axis: 1 }, op.out);
  }

  #whole(op: Products): void {
    const graph = this.#graph;
    const sizes = op.parts.map(({ weight }) => this.#weights.size(weight));
    const width = sizes[0]?.width ?? 0;
    const rows = sizes.reduce((sum, size) => sum + size.rows, 0);
    const block = blockOf(width);
    const format = op.exact ? "none" : this.#quantization;
    const stored = format === "stored" ? this.#weights.stored(op.parts) : undefined;
    if (stored !== undefined && "values" in stored) {
      this.#int8(op, { rows, width }, stored);
    } else if (stored !== undefined) {
      this.#stored(op, stored, { rows, width });
    } else if (this.#mapped && op.parts.length > 1) {
      const parts = op.parts.map((part) => this.#gemm({ ...op, parts: [part] }, width));
      graph.node("Concat", parts, { axis: 1 }, op.out);
    } else if (format === "int4" && block !== undefined) {
      const exact = this.#weights.stack(op.parts);
      const rounded = quantiseBlocks(exact, block, this.#blockBits);
      this.#rounding?.blocks(exact, width, block, rounded);
      const { bits, codes, scales } = rounded;
      const name = nameOf(op);
      const inputs = [
        op.in,
        graph.weight(name, "uint8", [rows, width / block, (block * bits) / 8], codes),
        graph.weight(`${name}.scales`, "float", [scales.length], scales),
      ];
      this.#tell({ name, rows, width, block }, rounded);
      const bias = this.#bias(op);
      if (bias !== undefined) inputs.push("", "", bias);
      const attributes = { K: width, N: rows, bits, block_size: block, accuracy_level: 4 };
      graph.node("ms.MatMulNBits", inputs, attributes, op.out);
    } else if (format === "int8" && this.#conversion.fed) {
      this.#int8(op, { rows, width }, "fed");
    } else if (format === "int8") {
      const exact = this.#weights.stack(op.parts);
      const rounded = quantiseInt8(exact, width);
      this.#rounding?.rows(exact, width, rounded);
      this.#int8(op, { rows, width }, rounded);
    } else {
      this.#gemm(op, width, op.out);
    }
  }

  #stored(
    op: Products,
    { bits, block, codes, scales, zeros, inputs: order, moved }: StoredBlocks,
    { rows, width }: { readonly rows: number; readonly width: number },
  ): void {
    const graph = this.#graph;
    const name = nameOf(op);
    const bias = this.#bias(op);
    for (const its of moved) this.#rounding?.add(its);
    const inputs = [
      order ? graph.node("Gather", [op.in, graph.ints(...order)], { axis: 1 }) : op.in,
      graph.weight(name, "uint8", [rows, width / block, (block * bits) / 8], codes),
      graph.weight(`${name}.scales`, "float", [scales.length], scales),
      zeros === undefined ? "" : graph.weight(`${name}.zeros`, "uint8", [zeros.length], zeros),
      "",
      bias ?? "",
    ];
    const attributes = { K: width, N: rows, bits, block_size: block, accuracy_level: 4 };
    graph.node("ms.MatMulNBits", inputs, attributes, op.out);
  }

  #int8(
    op: Products,
    size: { readonly rows: number; readonly width: number },
    weight: Int8Weight | "fed",
  ): void {
    const bias = this.#bias(op);
    this.#integers.product({ in: op.in, out: op.out, name: nameOf(op), ...size, weight, bias });
  }

  #tell(product: Omit<BlockProduct, "codes" | "scales">, { bits, codes, scales }: BlockWeight) {
    const { keep, onBlocks } = this.#conversion;
    if (onBlocks === undefined || bits !== 4) return;
    // Small weights stay in the graph: they are put there a second time.
    const put = (name: string, data: Uint8Array | Float32Array): FileRange | undefined =>
      this.#graph.kept(name) ??
      keep?.(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const [at, scalesAt] = [put(product.name, codes), put(`${product.name}.scales`, scales)];
    if (at && scalesAt) onBlocks({ ...product, codes: at.begin, scales: scalesAt.begin });
  }

  #gemm(op: Products, width: number, out?: string): string {
    const graph = this.#graph;
    const [first] = op.parts;
    const range = this.#mapped && first ? this.#weights.range(first.weight) : undefined;
    const rows = op.parts.reduce((sum, { weight }) => sum + this.#weights.size(weight).rows, 0);
    const shape = [rows, width];
    const name = nameOf(op);
    const matrix = range
      ? graph.mapped(name, "float", shape, range)
      : graph.weight(name, "float", shape, this.#weights.stack(op.parts));
    const bias = this.#bias(op);
    const inputs = bias === undefined ? [op.in, matrix] : [op.in, matrix, bias];
    return graph.node("Gemm", inputs, { transB: 1 }, out);
  }

  #bias(op: Products): string | undefined {
    const values = this.#weights.bias(op.parts);
    return values && this.#graph.weight(`${nameOf(op)}.bias`, "float", [values.length], values);
  }

  /** A product a head: one of all would sum differently for one row than for several. */
  #perHead({ in: input, out, weights, turned, parts, multiplied }: PerHead): void {
    const graph = this.#graph;
    const sizes = weights.flatMap(() => parts);
    const pieces = sizes.map(() => graph.fresh("part"));
    graph.nodes("Split", [input, graph.ints(...sizes)], pieces, { axis: 1 });
    const joined = weights.flatMap((weight, head) => {
      const own = pieces.slice(head * parts.length, (head + 1) * parts.length);
      const [factor = input] = own.splice(multiplied, 1);
      const inputs = [factor, this.#matrix(weight)];
      return [...own, graph.node("Gemm", inputs, turned ? {} : { transB: 1 })];
    });
    graph.node("Concat", joined, { axis: 1 }, out);
  }

  /** One of the segment's matrices in F32, as it lies in its file where that can be. */
  #matrix(weight: Weight): string {
    const range = this.#mapped ? this.#weights.range(weight) : undefined;
    const graph = this.#graph;
    return range
      ? graph.mapped(weight.name, "float", weight.shape, range)
      : graph.weight(weight.name, "float", weight.shape, this.#weights.read(weight));
  }

  #normWeight({ path, width, weight, lessOne }: RmsNormOp): string {
    if (weight === undefined)
      return this.#graph.weight(`${path}.ones`, "float", [width], new Float32Array(width).fill(1));
    const stored = this.#weights.read(weight);
    const data = lessOne ? stored.map((value) => value + 1) : stored;
    return this.#graph.weight(weight.name, "float", [data.length], data);
  }
}

/** What of an op's weights may be mapped from the file. */
function matricesOf(op: SegmentOp): readonly Weight[] {
  if (op.op === "products") return op.parts.map(({ weight }) => weight);
  return op.op === "per-head" ? op.weights : [];
}

const nameOf = ({ parts }: Products): string => parts.map(({ weight }) => weight.name).join("+");
