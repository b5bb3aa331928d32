/** PromQL as dashboards hold it, made ready to ask: Grafana's variables filled in. */
import { PANELS } from "./panels.ts";

export interface DashboardQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly query: string;
  /** What the server must run with for this to have data, e.g. `speculation`. */
  readonly needs?: string;
}

/** Those of our own dashboard. */
export function ownQueries(): DashboardQuery[] {
  return PANELS.flatMap((row) =>
    row.panels.flatMap((panel) =>
      panel.queries.map(({ expr }) => ({
        dashboard: "trainyard.json",
        panel: panel.title,
        query: expr,
        ...(row.title === "Speculation" ? { needs: "speculation" } : {}),
        ...(NEEDS_PRICED.test(expr) ? { needs: "simulated device" } : {}),
        ...(expr.startsWith("trainyard:dollars") ? { needs: "price" } : {}),
      })),
    ),
  );
}

/** Series that only a priced step moves. */
const NEEDS_PRICED = /trainyard:step_|vllm_neuron:|neuroncore_/;

export interface Fill {
  readonly model: string;
  readonly interval: string;
  readonly range: string;
}

export function fill(query: string, values: Fill): string {
  return query
    .replaceAll("$model_name", values.model)
    .replaceAll("$Deployment_id", values.model)
    .replaceAll("$__rate_interval", values.interval)
    .replaceAll("$__range", values.range)
    .replaceAll(/\$(job|instance|engine)/g, ".*");
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Instant query. Throws what Prometheus refuses. */
export async function ask(prometheus: string, query: string): Promise<Sample[]> {
  const url = `${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`;
  const body = (await (await fetch(url)).json()) as {
    status: string;
    error?: string;
    data?: { resultType: string; result: unknown };
  };
  if (body.status !== "success" || body.data === undefined) {
    throw new Error(`${body.error ?? "no answer"}: ${query}`);
  }
  if (body.data.resultType === "scalar") {
    const [, value] = body.data.result as [number, string];
    return [{ labels: {}, value: Number(value) }];
  }
  const result = body.data.result as { metric: Record<string, string>; value: [number, string] }[];
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

/** Data: at least one finite sample. */
export function hasData(samples: readonly Sample[]): boolean {
  return samples.some((sample) => Number.isFinite(sample.value));
}
