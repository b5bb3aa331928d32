/**
 * Lowers a segment to an ONNX graph. Values are `[tokens, width]` F32 matrices;
 * weights keep their checkpoint layout `[out, in]`, so F32 weights can be mapped
 * from the file as they lie there. Every op treats each row apart and sums in an
 * order that does not depend on the other rows (int4 excepted, see README).
 */
import type {
  Activation,
  GatedActivationOp,
  LinearOp,
  Op,
  RmsNormOp,
  RopeOp,
  Value,
} from "../../../models/ops.ts";
import type { BuiltGraph } from "./builder.ts";
import { GraphBuilder } from "./builder.ts";
import type { Segment } from "./program.ts";
import { int4Block, quantiseInt4, quantiseInt8 } from "./quantise.ts";
import type { ShardReader } from "./shard-reader.ts";

/** Format of the products' weights. */
export type Quantization = "none" | "int4" | "int8";

/** Graph inputs with the rotation of each token: cosines, sines `[tokens, rotaryDim / 2]`, row numbers. */
export const ROTARY_INPUTS = {
  cos: "rotary-cos",
  sin: "rotary-sin",
  rows: "rotary-rows",
} as const;

/** uint8 activations of the int8 product: value = (byte − 128) / 127 of the row's largest. */
const INT8_ZERO_POINT = 128;
const INT8_STEP = 1 / 127;
/** Keeps a row of zeros from dividing by zero. */
const INT8_SMALLEST = 1e-30;

export function lowerSegment(
  segment: Segment,
  weights: ShardReader,
  quantization: Quantization,
): BuiltGraph {
  return new Lowering(segment, weights, quantization).build();
}

class Lowering {
  readonly #segment: Segment;
  readonly #weights: ShardReader;
  readonly #quantization: Quantization;
  readonly #graph: GraphBuilder;
  /** All matrices of the segment lie in their file as the graph wants them. */
  readonly #mapped: boolean;
  /** int8: a value's bytes and row scales, made once for all products that read it. */
  readonly #bytes = new Map<Value, { readonly bytes: string; readonly scales: string }>();

  constructor(segment: Segment, weights: ShardReader, quantization: Quantization) {
    this.#segment = segment;
    this.#weights = weights;
    this.#quantization = quantization;
    this.#graph = new GraphBuilder(segment.name);
    this.#mapped =
      quantization === "none" &&
      segment.ops.every((op) => op.op !== "linear" || weights.range(op.weight) !== undefined);
  }

  build(): BuiltGraph {
    const { ops, inputs, outputs } = this.#segment;
    for (const { name, width } of inputs) {
      this.#graph.input({ name, type: "float", shape: ["tokens", width] });
    }
    const rope = ops.find((op) => op.op === "rope");
    if (rope?.op === "rope") {
      const half = rope.rotaryDim / 2;
      const { cos, sin, rows } = ROTARY_INPUTS;
      this.#graph.input({ name: cos, type: "float", shape: ["tokens", half] });
      this.#graph.input({ name: sin, type: "float", shape: ["tokens", half] });
      this.#graph.input({ name: rows, type: "int64", shape: [1, "tokens"] });
    }
    for (const op of ops) this.#lower(op);
    for (const { name, width } of outputs) {
      this.#graph.output({ name, type: "float", shape: ["tokens", width] });
    }
    return this.#graph.build();
  }

  #lower(op: Op): void {
    switch (op.op) {
      case "rms-norm":
        this.#norm(op);
        return;
      case "linear":
        this.#linear(op);
        return;
      case "rope":
        this.#rope(op);
        return;
      case "gated-activation":
        this.#activation(op);
        return;
      case "add":
        this.#graph.node("Add", [op.a, op.b], {}, op.out);
        return;
      default:
        throw new Error(`cpu: the op "${op.op}" does not belong in a segment.`);
    }
  }

  #norm(op: RmsNormOp): void {
    const graph = this.#graph;
    const size = op.weight.shape[0] ?? 1;
    const weight = this.#vector(op.weight.name, op.weight);
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

  #rope(op: RopeOp): void {
    const graph = this.#graph;
    const { cos, sin, rows } = ROTARY_INPUTS;
    const width = op.heads * op.headDim;
    const batch = graph.node("Reshape", [op.in, graph.ints(1, -1, width)]);
    const rotated = graph.node("ms.RotaryEmbedding", [batch, rows, cos, sin], {
      num_heads: op.heads,
      rotary_embedding_dim: op.rotaryDim,
      interleaved: 0,
    });
    graph.node("Reshape", [rotated, graph.ints(-1, width)], {}, op.out);
  }

  #activation(op: GatedActivationOp): void {
    const graph = this.#graph;
    const gate = this.#activate(op.activation, op.gate);
    graph.node("Mul", [gate, op.up], {}, op.out);
  }

  #activate(activation: Activation, value: Value): string {
    switch (activation.kind) {
      case "silu":
        return this.#graph.node("ms.QuickGelu", [value], { alpha: { float: 1 } });
      case "gelu":
        return this.#graph.node("ms.Gelu", [value]);
      case "swiglu-oai":
        throw new Error('cpu: the activation "swiglu-oai" is not computed by this device.');
    }
  }

  #linear(op: LinearOp): void {
    const { weight, bias } = op;
    const { rows, width } = this.#weights.size(weight);
    // The bias of a partial sum is one rank's to add.
    const added = bias && (op.partial !== true || this.#weights.rank === 0) ? bias : undefined;
    const block = int4Block(width);
    if (this.#quantization === "int4" && block !== undefined) {
      const { nibbles, scales } = quantiseInt4(this.#weights.read(weight), block);
      const graph = this.#graph;
      const inputs = [
        op.in,
        graph.weight(weight.name, "uint8", [rows, width / block, block / 2], nibbles),
        graph.weight(`${weight.name}.scales`, "float", [scales.length], scales),
      ];
      const attributes = { K: width, N: rows, bits: 4, block_size: block, accuracy_level: 4 };
      const product = graph.node("ms.MatMulNBits", inputs, attributes, added ? undefined : op.out);
      if (added) graph.node("Add", [product, this.#vector(added.name, added)], {}, op.out);
    } else if (this.#quantization === "int8") {
      const product = this.#int8(op, rows, width, added ? undefined : op.out);
      if (added) {
        this.#graph.node("Add", [product, this.#vector(added.name, added)], {}, op.out);
      }
    } else {
      const inputs = [op.in, this.#matrix(op)];
      if (added) inputs.push(this.#vector(added.name, added));
      this.#graph.node("Gemm", inputs, { transB: 1 }, op.out);
    }
  }

  /** Per-row W8A8: integer sums, so a row does not depend on its neighbours. */
  #int8(op: LinearOp, rows: number, width: number, out: string | undefined): string {
    const graph = this.#graph;
    const { values, scales } = quantiseInt8(this.#weights.read(op.weight), width);
    const input = this.#rowBytes(op.in);
    const inputs = [
      input.bytes,
      graph.weight(op.weight.name, "int8", [width, rows], values),
      graph.scalar(INT8_STEP),
      graph.weight(`${op.weight.name}.scales`, "float", [rows], scales),
      graph.constant("uint8", [], Uint8Array.of(INT8_ZERO_POINT)),
    ];
    const product = graph.node("ms.MatMulIntegerToFloat", inputs);
    return graph.node("Mul", [product, input.scales], {}, out);
  }

  #rowBytes(value: Value): { readonly bytes: string; readonly scales: string } {
    const known = this.#bytes.get(value);
    if (known !== undefined) return known;
    const graph = this.#graph;
    const sizes = graph.node("Abs", [value]);
    const largest = graph.node("ReduceMax", [sizes, graph.ints(-1)], { keepdims: 1 });
    const scales = graph.node("Max", [largest, graph.scalar(INT8_SMALLEST)]);
    const unit = graph.node("Div", [value, scales]);
    const bytes = graph.node("QuantizeLinear", [
      unit,
      graph.scalar(INT8_STEP),
      graph.constant("uint8", [], Uint8Array.of(INT8_ZERO_POINT)),
    ]);
    const made = { bytes, scales };
    this.#bytes.set(value, made);
    return made;
  }

  #matrix({ weight }: LinearOp): string {
    const { rows, width } = this.#weights.size(weight);
    const range = this.#mapped ? this.#weights.range(weight) : undefined;
    return range
      ? this.#graph.mapped(weight.name, "float", [rows, width], range)
      : this.#graph.weight(weight.name, "float", [rows, width], this.#weights.read(weight));
  }

  #vector(name: string, weight: Parameters<ShardReader["read"]>[0]): string {
    const data = this.#weights.read(weight);
    return this.#graph.weight(name, "float", [data.length], data);
  }
}
