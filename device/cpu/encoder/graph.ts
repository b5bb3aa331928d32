/**
 * An encoder as one ONNX graph over a single text: `[tokens, hidden]` sums of embeddings in,
 * `[tokens, hidden]` states out. One text a run: what a text gives never depends on others.
 */
import type { BertShape } from "../../../models/bert.ts";
import type { BuiltGraph } from "../graph/builder.ts";
import { GraphBuilder } from "../graph/builder.ts";

export const ENCODER_INPUT = "embedded";
export const ENCODER_OUTPUT = "states";

/** `read` gives a tensor by its name, as F32. */
export function encoderGraph(
  shape: BertShape,
  read: (name: string) => Float32Array<ArrayBuffer>,
): BuiltGraph {
  return new Lowering(shape, read).build();
}

class Lowering {
  readonly #graph = new GraphBuilder("encoder");
  readonly #shape: BertShape;
  readonly #read: (name: string) => Float32Array<ArrayBuffer>;

  constructor(shape: BertShape, read: (name: string) => Float32Array<ArrayBuffer>) {
    this.#shape = shape;
    this.#read = read;
  }

  build(): BuiltGraph {
    const { hidden, layers } = this.#shape;
    const graph = this.#graph;
    const states = { type: "float", shape: ["tokens", hidden] } as const;
    graph.input({ name: ENCODER_INPUT, ...states });
    let value = this.#norm("embeddings.LayerNorm", ENCODER_INPUT);
    for (let layer = 0; layer < layers; layer++) value = this.#layer(layer, value);
    graph.node("Identity", [value], {}, ENCODER_OUTPUT);
    graph.output({ name: ENCODER_OUTPUT, ...states });
    return graph.build();
  }

  #layer(layer: number, input: string): string {
    const path = `encoder.layer.${layer}`;
    const { hidden, intermediate } = this.#shape;
    const graph = this.#graph;
    const attended = this.#attention(`${path}.attention.self`, input);
    const out = this.#dense(`${path}.attention.output.dense`, attended, hidden, hidden);
    const middle = this.#norm(
      `${path}.attention.output.LayerNorm`,
      graph.node("Add", [out, input]),
    );
    const wide = this.#activate(
      this.#dense(`${path}.intermediate.dense`, middle, intermediate, hidden),
    );
    const down = this.#dense(`${path}.output.dense`, wide, hidden, intermediate);
    return this.#norm(`${path}.output.LayerNorm`, graph.node("Add", [down, middle]));
  }

  #attention(path: string, input: string): string {
    const { hidden, heads } = this.#shape;
    const graph = this.#graph;
    const size = hidden / heads;
    const [q, k, v] = (["query", "key", "value"] as const).map((name) => {
      const flat = this.#dense(`${path}.${name}`, input, hidden, hidden);
      const split = graph.node("Reshape", [flat, graph.ints(-1, heads, size)]);
      const perm = name === "key" ? [1, 2, 0] : [1, 0, 2];
      return graph.node("Transpose", [split], { perm });
    }) as [string, string, string];
    const scores = graph.node("MatMul", [q, k]);
    const scaled = graph.node("Mul", [scores, graph.scalar(1 / Math.sqrt(size))]);
    const shares = graph.node("Softmax", [scaled], { axis: -1 });
    const mixed = graph.node("Transpose", [graph.node("MatMul", [shares, v])], { perm: [1, 0, 2] });
    return graph.node("Reshape", [mixed, graph.ints(-1, hidden)]);
  }

  #activate(value: string): string {
    const { activation } = this.#shape;
    if (activation === "relu") return this.#graph.node("Relu", [value]);
    if (activation === "gelu") return this.#graph.node("ms.Gelu", [value]);
    return this.#graph.node("Gelu", [value], { approximate: "tanh" });
  }

  #dense(path: string, input: string, out: number, width: number): string {
    const graph = this.#graph;
    const weight = graph.weight(
      `${path}.weight`,
      "float",
      [out, width],
      this.#read(`${path}.weight`),
    );
    const bias = graph.weight(`${path}.bias`, "float", [out], this.#read(`${path}.bias`));
    return graph.node("Gemm", [input, weight, bias], { transB: 1 });
  }

  #norm(path: string, input: string): string {
    const graph = this.#graph;
    const { hidden, eps } = this.#shape;
    const weight = graph.weight(`${path}.weight`, "float", [hidden], this.#read(`${path}.weight`));
    const bias = graph.weight(`${path}.bias`, "float", [hidden], this.#read(`${path}.bias`));
    const attributes = { axis: -1, epsilon: { float: eps } };
    return graph.node("LayerNormalization", [input, weight, bias], attributes);
  }
}
