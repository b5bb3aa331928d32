/**
 * Builds one ONNX graph: nodes, constants and weights, encoded to bytes. A
 * weight is external data: either a range of a checkpoint file, which the
 * runtime maps, or bytes handed over when the session is made.
 */
import { encodeModel } from "./proto.ts";

/** TensorProto.DataType. */
export const TYPES = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof TYPES;

export type Attribute = number | string | readonly number[] | { readonly float: number };

/** Weights up to this size are kept in the graph: norms, biases. */
const INLINE_BYTES = 1 << 16;

/** Bytes for the external data named `path`, as the runtime's session options take them. */
export interface ExternalData {
  readonly path: string;
  readonly data: Uint8Array;
}

export interface BuiltGraph {
  readonly model: Uint8Array;
  readonly externalData: readonly ExternalData[];
}

/** Bytes `[begin, end)` of a file in the folder that the session is given. */
export interface FileRange {
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

/** Puts a weight into a file, to be mapped from there; undefined: it stays in memory. */
export type Keep = (data: Uint8Array) => FileRange | undefined;

interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** A string is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: object[] = [];
  readonly #initializers: object[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #external: ExternalData[] = [];
  readonly #constants = new Map<string, string>();
  readonly #keep: Keep;
  readonly #kept = new Map<string, FileRange>();
  #fresh = 0;

  constructor(name: string, keep: Keep = () => undefined) {
    this.#name = name;
    this.#keep = keep;
  }

  input(info: ValueInfo): string {
    this.#inputs.push(valueInfo(info));
    return info.name;
  }

  output(info: ValueInfo): void {
    this.#outputs.push(valueInfo(info));
  }

  /** Adds a node with one output, whose name it returns. `com.microsoft` ops are written `ms.Name`. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = this.fresh(op),
  ): string {
    this.nodes(op, inputs, [output], attributes);
    return output;
  }

  nodes(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): void {
    const microsoft = op.startsWith("ms.");
    this.#nodes.push({
      name: outputs[0],
      opType: microsoft ? op.slice(3) : op,
      domain: microsoft ? "com.microsoft" : "",
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
  }

  fresh(stem: string): string {
    return `${stem}_${this.#fresh++}`;
  }

  /** A small constant, kept in the graph; equal ones are shared. */
  constant(type: ElementType, shape: readonly number[], data: ArrayBufferView): string {
    const raw = bytesOf(data);
    const key = `${type}[${shape.join()}]${Buffer.from(raw).toString("base64")}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh("const");
    this.#initializers.push({ name, dims: shape, dataType: TYPES[type], rawData: raw });
    this.#constants.set(key, name);
    return name;
  }

  scalar(value: number): string {
    return this.constant("float", [], Float32Array.of(value));
  }

  ints(...values: readonly number[]): string {
    return this.constant(
      "int64",
      [values.length],
      BigInt64Array.from(values, (value) => BigInt(value)),
    );
  }

  /** A weight from memory. A large one is handed over beside the graph, not copied into it. */
  weight(
    name: string,
    type: ElementType,
    shape: readonly number[],
    data: ArrayBufferView<ArrayBuffer>,
  ): string {
    if (data.byteLength <= INLINE_BYTES) {
      this.#initializers.push({ name, dims: shape, dataType: TYPES[type], rawData: bytesOf(data) });
      return name;
    }
    const kept = this.#keep(bytesOf(data));
    if (kept !== undefined) {
      this.#kept.set(name, kept);
      return this.mapped(name, type, shape, kept);
    }
    this.#external.push({ path: name, data: bytesOf(data) });
    this.#addExternal(name, type, shape, name, 0, data.byteLength);
    return name;
  }

  /**
   * A weight that the runtime maps from a file of the folder the session is given.
   * The runtime takes external data from files or from memory: a graph with
   * mapped weights may have only small ones from memory.
   */
  mapped(name: string, type: ElementType, shape: readonly number[], range: FileRange): string {
    this.#addExternal(name, type, shape, range.file, range.begin, range.end - range.begin);
    return name;
  }

  /** Where a weight was put; undefined: it stayed in memory. */
  kept(name: string): FileRange | undefined {
    return this.#kept.get(name);
  }

  build(): BuiltGraph {
    const model = encodeModel({
      irVersion: 10,
      producerName: "trainyard",
      opsetImport: [
        { domain: "", version: 21 },
        { domain: "com.microsoft", version: 1 },
      ],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    });
    return { model, externalData: this.#external };
  }

  #addExternal(
    name: string,
    type: ElementType,
    shape: readonly number[],
    location: string,
    offset: number,
    length: number,
  ): void {
    this.#initializers.push({
      name,
      dims: shape,
      dataType: TYPES[type],
      dataLocation: 1,
      externalData: [
        { key: "location", value: location },
        { key: "offset", value: String(offset) },
        { key: "length", value: String(length) },
      ],
    });
  }
}

function valueInfo({ name, type, shape }: ValueInfo): object {
  const dim = shape.map((size) =>
    typeof size === "string" ? { dimParam: size } : { dimValue: size },
  );
  return { name, type: { tensorType: { elemType: TYPES[type], shape: { dim } } } };
}

/** AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, INTS 7. A bare number is an INT. */
function attribute(name: string, value: Attribute): object {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value };
}
