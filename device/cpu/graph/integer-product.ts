/**
 * Products in integers (W8A8): int8 weights with a scale for each output, activations as bytes
 * with a scale for each row. Integer sums are exact in any order, so a row's result does not
 * depend on its neighbours, nor on how many there are.
 */
import type { Value } from "../../../models/ops.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Int8Weight } from "./quantise.ts";

/** uint8 activations: value = (byte − 128) / 127 of the row's largest. */
const ZERO_POINT = 128;
const STEP = 1 / 127;
/** Keeps a row of zeros from dividing by zero. */
const SMALLEST = 1e-30;

export interface IntegerProduct {
  readonly in: Value;
  readonly out: Value;
  /** Of the weight. */
  readonly name: string;
  readonly rows: number;
  readonly width: number;
  /** `fed`: an input of the graph, as its scales. */
  readonly weight: Int8Weight | "fed";
  readonly bias?: string | undefined;
}

/** Of a product's weight: its values `[in, out]` and their scales `[out]`. */
export const int8Names = (name: string): { readonly values: string; readonly scales: string } => ({
  values: `${name}.int8`,
  scales: `${name}.int8.scales`,
});

export class IntegerProducts {
  readonly #graph: GraphBuilder;
  /** A value's bytes and row scales, made once for all products that read it. */
  readonly #bytes = new Map<Value, { readonly bytes: string; readonly scales: string }>();

  constructor(graph: GraphBuilder) {
    this.#graph = graph;
  }

  product({ in: from, out, name, rows, width, weight, bias }: IntegerProduct): void {
    const graph = this.#graph;
    const input = this.#rowBytes(from);
    const names = int8Names(name);
    const product = graph.node("ms.MatMulIntegerToFloat", [
      input.bytes,
      weight === "fed"
        ? graph.input({ name: names.values, type: "int8", shape: [width, rows] })
        : graph.weight(names.values, "int8", [width, rows], weight.values),
      graph.scalar(STEP),
      weight === "fed"
        ? graph.input({ name: names.scales, type: "float", shape: [rows] })
        : graph.weight(names.scales, "float", [rows], weight.scales),
      graph.constant("uint8", [], Uint8Array.of(ZERO_POINT)),
    ]);
    if (bias === undefined) graph.node("Mul", [product, input.scales], {}, out);
    else graph.node("Add", [graph.node("Mul", [product, input.scales]), bias], {}, out);
  }

  #rowBytes(value: Value): { readonly bytes: string; readonly scales: string } {
    const known = this.#bytes.get(value);
    if (known !== undefined) return known;
    const graph = this.#graph;
    // Two reductions take a sixth of one after Abs, and Mul a third of Div (0.4 and 0.8 ns an element).
    const [most, least] = ["ReduceMax", "ReduceMin"].map((op) =>
      graph.node(op, [value, graph.ints(-1)], { keepdims: 1 }),
    ) as [string, string];
    const below = graph.node("Neg", [least]);
    const scales = graph.node("Max", [most, below, graph.scalar(SMALLEST)]);
    const bytes = graph.node("QuantizeLinear", [
      graph.node("Mul", [value, graph.node("Reciprocal", [scales])]),
      graph.scalar(STEP),
      graph.constant("uint8", [], Uint8Array.of(ZERO_POINT)),
    ]);
    const made = { bytes, scales };
    this.#bytes.set(value, made);
    return made;
  }
}
