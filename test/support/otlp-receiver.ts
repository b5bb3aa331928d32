/** An OpenTelemetry collector small enough for a test: OTLP/HTTP and OTLP/gRPC in, spans out. */
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

export interface ReceivedSpan {
  readonly resource: Readonly<Record<string, string | number>>;
  readonly scope: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  close(): void;
}

/** Of opentelemetry/proto/trace/v1 and common/v1: what a span of ours carries. */
const { nested: MESSAGES } = {
  nested: {
    Export: message({ resourceSpans: ["repeated ResourceSpans", 1] }),
    ResourceSpans: message({ resource: ["Resource", 1], scopeSpans: ["repeated ScopeSpans", 2] }),
    Resource: message({ attributes: ["repeated KeyValue", 1] }),
    ScopeSpans: message({ scope: ["Scope", 1], spans: ["repeated Span", 2] }),
    Scope: message({ name: ["string", 1] }),
    Span: message({
      traceId: ["bytes", 1],
      spanId: ["bytes", 2],
      traceState: ["string", 3],
      parentSpanId: ["bytes", 4],
      name: ["string", 5],
      kind: ["int32", 6],
      start: ["fixed64", 7],
      end: ["fixed64", 8],
      attributes: ["repeated KeyValue", 9],
    }),
    KeyValue: message({ key: ["string", 1], value: ["Value", 2] }),
    Value: {
      ...message({ text: ["string", 1], whole: ["int64", 3], real: ["double", 4] }),
      oneofs: { value: { oneof: ["text", "whole", "real"] } },
    },
  },
};

function message(fields: Readonly<Record<string, readonly [string, number]>>) {
  return {
    fields: Object.fromEntries(
      Object.entries(fields).map(([name, [text, id]]) => {
        const [type = "", rule] = text.split(" ").reverse();
        return [name, { type, id, ...(rule !== undefined && { rule }) }];
      }),
    ),
  };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly text?: string; readonly whole?: number; readonly real?: number };
}

interface Message {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly (Omit<ReceivedSpan, "attributes"> & {
        readonly attributes: readonly Attribute[];
      })[];
    }[];
  }[];
}

const EXPORT = protobuf.Root.fromJSON({ nested: MESSAGES }).lookupType("Export");

function decode(bytes: Uint8Array): readonly ReceivedSpan[] {
  const decoded = EXPORT.toObject(EXPORT.decode(bytes), {
    ...{ longs: Number, bytes: String, defaults: false, arrays: true },
  }) as Message; // as the descriptor above says
  const values = (attributes: readonly Attribute[]) =>
    Object.fromEntries(
      attributes.map(({ key, value }) => [key, value.text ?? value.whole ?? value.real ?? ""]),
    );
  const hex = (base64 = "") => Buffer.from(base64, "base64").toString("hex");
  return decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...{ resource: values(resource.attributes), scope: scope.name },
        ...{ name: span.name, kind: span.kind, traceState: span.traceState ?? "" },
        ...{ traceId: hex(span.traceId), parentSpanId: hex(span.parentSpanId) },
        ...{ start: Number(span.start) / 1e6, end: Number(span.end) / 1e6 },
        attributes: values(span.attributes),
      })),
    ),
  );
}

/** POST /v1/traces. */
export async function otlpHttpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.url === "/v1/traces") spans.push(...decode(Buffer.concat(parts)));
      response.writeHead(request.url === "/v1/traces" ? 200 : 404).end();
    });
  });
  const port = await listening(server);
  return { url: `http://127.0.0.1:${port}/v1/traces`, spans, close: () => server.close() };
}

/** TraceService/Export: one message after its flag and length, an empty one back. */
export async function otlpGrpcReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      spans.push(...decode(Buffer.concat(parts).subarray(5)));
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  });
  const port = await listening(server);
  return { url: `grpc://127.0.0.1:${port}`, spans, close: () => server.close() };
}

function listening(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): AddressInfo | string | null;
}): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
