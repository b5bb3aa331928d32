/** Spans through OpenTelemetry's SDK. Loaded with `--otlp-traces-endpoint` only. */
import { defaultTextMapGetter, ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { SettingsError } from "../settings/error.ts";
import type { SpanSink } from "./span.ts";

/**
 * As vLLM: gRPC unless OTEL_EXPORTER_OTLP_TRACES_PROTOCOL says http/protobuf; the SDK's other
 * OTEL_ variables (service name, sampler, batches) hold. Throws SettingsError.
 */
export async function openTelemetrySink(endpoint: string): Promise<SpanSink> {
  const failed = warnOnce();
  setGlobalErrorHandler(failed);
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(
        resourceFromAttributes({
          "vllm.instrumenting_module_name": "vllm.llm_engine",
          "vllm.process_id": String(process.pid),
        }),
      ),
    spanProcessors: [new BatchSpanProcessor(await exporterTo(endpoint))],
  });
  const tracer = provider.getTracer("vllm.tracing.otel");
  const propagator = new W3CTraceContextPropagator();
  return {
    write: ({ name, start, end, attributes, context }) => {
      const parent = propagator.extract(ROOT_CONTEXT, context, defaultTextMapGetter);
      tracer
        .startSpan(name, { kind: SpanKind.SERVER, startTime: start, attributes }, parent)
        .end(end);
    },
    // A collector that is gone is no reason not to end.
    close: () => provider.shutdown().catch(failed),
  };
}

async function exporterTo(endpoint: string): Promise<SpanExporter> {
  const protocol = process.env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? "grpc";
  if (protocol === "http/protobuf") {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
    return new OTLPTraceExporter({ url: endpoint });
  }
  if (protocol === "grpc") {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
    return new OTLPTraceExporter({ url: grpcUrl(endpoint) });
  }
  throw new SettingsError(
    `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL must be grpc or http/protobuf, got ${protocol}.`,
  );
}

/** Without TLS unless https asks for it: `grpc://host:4317` and `host:4317` are what vLLM's users write. */
function grpcUrl(endpoint: string): string {
  const [, scheme, rest = endpoint] = /^(\w+):\/\/(.*)$/.exec(endpoint) ?? [];
  return `${scheme === "https" ? "https" : "http"}://${rest}`;
}

/** The SDK tells of a collector that does not answer after each batch; one line is enough. */
function warnOnce(): (error: unknown) => void {
  let told = false;
  return (error) => {
    if (told) return;
    told = true;
    const why = error instanceof Error ? error.message || error.name : JSON.stringify(error);
    process.emitWarning(`Spans do not reach --otlp-traces-endpoint: ${why}`);
  };
}
