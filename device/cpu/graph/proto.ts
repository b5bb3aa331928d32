/**
 * The part of onnx.proto that the graphs here use, as a protobufjs descriptor.
 * Field numbers and types follow onnx/onnx.proto (IR version 10).
 */
import protobuf from "protobufjs";

const field = (id: number, type: string, rule?: "repeated") => ({
  id,
  type,
  ...(rule === undefined ? {} : { rule }),
});

const DESCRIPTOR = {
  nested: {
    StringStringEntryProto: { fields: { key: field(1, "string"), value: field(2, "string") } },
    OperatorSetIdProto: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    Dimension: {
      oneofs: { value: { oneof: ["dimValue", "dimParam"] } },
      fields: { dimValue: field(1, "int64"), dimParam: field(2, "string") },
    },
    TensorShapeProto: { fields: { dim: field(1, "Dimension", "repeated") } },
    TensorTypeProto: {
      fields: { elemType: field(1, "int32"), shape: field(2, "TensorShapeProto") },
    },
    TypeProto: { fields: { tensorType: field(1, "TensorTypeProto") } },
    ValueInfoProto: { fields: { name: field(1, "string"), type: field(2, "TypeProto") } },
    TensorProto: {
      fields: {
        dims: field(1, "int64", "repeated"),
        dataType: field(2, "int32"),
        name: field(8, "string"),
        rawData: field(9, "bytes"),
        externalData: field(13, "StringStringEntryProto", "repeated"),
        dataLocation: field(14, "int32"),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, "string"),
        f: field(2, "float"),
        i: field(3, "int64"),
        s: field(4, "bytes"),
        ints: field(8, "int64", "repeated"),
        type: field(20, "int32"),
      },
    },
    NodeProto: {
      fields: {
        input: field(1, "string", "repeated"),
        output: field(2, "string", "repeated"),
        name: field(3, "string"),
        opType: field(4, "string"),
        attribute: field(5, "AttributeProto", "repeated"),
        domain: field(7, "string"),
      },
    },
    GraphProto: {
      fields: {
        node: field(1, "NodeProto", "repeated"),
        name: field(2, "string"),
        initializer: field(5, "TensorProto", "repeated"),
        input: field(11, "ValueInfoProto", "repeated"),
        output: field(12, "ValueInfoProto", "repeated"),
      },
    },
    ModelProto: {
      fields: {
        irVersion: field(1, "int64"),
        producerName: field(2, "string"),
        graph: field(7, "GraphProto"),
        opsetImport: field(8, "OperatorSetIdProto", "repeated"),
      },
    },
  },
};

const ModelProto = protobuf.Root.fromJSON(DESCRIPTOR).lookupType("ModelProto");

/** Encodes a ModelProto given as a plain object in the descriptor's field names. */
export function encodeModel(model: Readonly<Record<string, unknown>>): Uint8Array {
  const problem = ModelProto.verify(model);
  if (problem !== null) throw new Error(`ONNX model: ${problem}`);
  return ModelProto.encode(ModelProto.fromObject(model)).finish();
}
