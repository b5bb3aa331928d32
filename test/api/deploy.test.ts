/** scripts/deploy: manifests as Kubernetes and the operators read them, and as this server is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service } from "kubernetes-models/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseSettings } from "../../server/config.ts";
import { build, type Manifest } from "../support/kustomize.ts";
import { startServer, type TestServer } from "../support/server.ts";

const ROOT = "scripts/deploy";
const OVERLAYS = ["cpu", "simulated"];

/** Schemas by kind; each constructor takes what a manifest says. */
const SCHEMAS = {
  Deployment,
  Service,
  PodDisruptionBudget,
  HorizontalPodAutoscaler,
  PodMonitor,
  ScaledObject,
} as unknown as Readonly<Record<string, new (data: unknown) => { validate(): void }>>;

/** Throws what is wrong with it. */
function validate(manifest: Manifest): void {
  const Schema = SCHEMAS[manifest.kind];
  if (Schema === undefined) throw new Error(`There is no schema of ${manifest.kind}.`);
  new Schema(structuredClone(manifest)).validate();
}

const refuses = (manifest: Manifest): boolean => {
  try {
    validate(manifest);
    return false;
  } catch {
    return true;
  }
};

/** Paths of the values in it that are no objects or lists. */
function leaves(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

function withValue(manifest: Manifest, path: readonly string[], value: unknown): Manifest {
  const copy = structuredClone(manifest) as unknown as Record<string, unknown>;
  const [last = "", ...rest] = [...path].reverse();
  let at = copy;
  for (const key of rest.reverse()) at = at[key] as Record<string, unknown>; // a path of its own
  at[last] = value;
  return copy as unknown as Manifest;
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: {
    readonly preStop: { readonly exec: { readonly command: readonly string[] } };
  };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface Pods {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly terminationGracePeriodSeconds: number;
    readonly containers: readonly [Container];
  };
}

const files = new Set<string>();
const overlays = OVERLAYS.map((name) => {
  const manifests = build(join(ROOT, "overlays", name), files);
  const of = <T>(kind: string): T => {
    const found = manifests.find((manifest) => manifest.kind === kind);
    return (found as unknown as { readonly spec: T }).spec; // as Kubernetes' schemas say
  };
  return { name, manifests, of };
});

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

describe.each(overlays)("the overlay $name", ({ manifests, of }) => {
  const pods = () => of<{ readonly template: Pods }>("Deployment").template;
  const container = () => pods().spec.containers[0];

  it("is as the schemas say", () => {
    for (const manifest of manifests) validate(manifest);
  });

  it("has no field that no schema knows", () => {
    // Nonsense in a field that is read is refused; where it is not, the field means nothing.
    for (const manifest of manifests) {
      const unread = leaves(manifest).filter(
        (path) => !refuses(withValue(manifest, path, { nonsense: [{}] })),
      );
      expect(unread.map((path) => `${manifest.kind}: ${path.join(".")}`)).toEqual([]);
    }
  });

  it("gives the server flags that it takes, with an effect", () => {
    const { args, ports } = container();
    const [command, ...argv] = args;
    expect(command).toBe("serve");
    const { settings, warnings } = parseSettings(argv);
    expect(warnings).toEqual([]);
    const named = Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort]));
    expect(named["http"]).toBe(settings.port);
    const events = settings["kv-events-config"];
    if (events === undefined) return;
    expect(events["endpoint"]).toBe(`tcp://*:${named["kv-events"]}`);
    expect(events["replay_endpoint"]).toBe(`tcp://*:${named["kv-replay"]}`);
  });

  it("asks probes that are there, and waits for what drains", async () => {
    const { startupProbe, readinessProbe, livenessProbe, ports, lifecycle, args } = container();
    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
      expect(ports.map(({ name }) => name)).toContain(httpGet.port);
      expect(await server.get(httpGet.path)).toMatchObject({ status: 200, text: "ok" });
    }
    // Draining takes a server out of its service, and must not start it again.
    expect(readinessProbe.httpGet.path).toBe("/readyz");
    expect(livenessProbe.httpGet.path).toBe("/livez");
    const drain = parseSettings(args.slice(1)).settings["shutdown-timeout"];
    const [, seconds] = lifecycle.preStop.exec.command;
    expect(drain).toBeGreaterThan(0);
    expect(pods().spec.terminationGracePeriodSeconds).toBeGreaterThan(drain + Number(seconds));
  });

  it("names the same pods everywhere", () => {
    const { labels } = pods().metadata;
    const matched = {
      Deployment: of<Selecting>("Deployment").selector.matchLabels,
      Service: of<{ readonly selector: object }>("Service").selector,
      PodDisruptionBudget: of<Selecting>("PodDisruptionBudget").selector.matchLabels,
      PodMonitor: of<Selecting>("PodMonitor").selector.matchLabels,
    };
    for (const selector of Object.values(matched)) expect(labels).toMatchObject(selector);
    const ports = container().ports.map(({ name }) => name);
    for (const { targetPort } of of<{ readonly ports: readonly { targetPort: string }[] }>(
      "Service",
    ).ports)
      expect(ports).toContain(targetPort);
  });

  it("scales by what /metrics tells", async () => {
    const scaled = manifests.find(({ kind }) => /Autoscaler|ScaledObject/.test(kind));
    const text = JSON.stringify(scaled).replaceAll("vllm_num", "vllm:num");
    expect(text).toContain("vllm:num_requests_waiting");
    expect(JSON.parse(text).spec.scaleTargetRef.name).toBe("trainyard");
    expect(await server.metric("vllm:num_requests_waiting")).toBe(0);
    const { podMetricsEndpoints } = of<{
      readonly podMetricsEndpoints: readonly { readonly port: string; readonly path: string }[];
    }>("PodMonitor");
    for (const { port, path } of podMetricsEndpoints) {
      expect(container().ports.map(({ name }) => name)).toContain(port);
      expect((await server.get(path)).text).toContain("vllm:num_requests_waiting");
    }
  });
});

interface Selecting {
  readonly selector: { readonly matchLabels: object };
}

describe("scripts/deploy", () => {
  it("has no file that no kustomization names, but the adapter's rule", () => {
    const all = (readdirSync(ROOT, { recursive: true }) as string[])
      .filter((path) => path.endsWith(".yaml"))
      .map((path) => join(ROOT, path));
    const adapter = join(ROOT, "components/scale-hpa/adapter-values.yaml");
    expect(all.filter((path) => !files.has(path))).toEqual([adapter]);
    const { rules } = parse(readFileSync(adapter, "utf8"));
    expect(rules.custom[0].seriesQuery).toMatch(/^vllm:num_requests_waiting\{/);
    expect(rules.custom[0].name.as).toBe("vllm_num_requests_waiting");
  });

  it("would be refused with a wrong type, a missing field or an unknown kind", () => {
    const [deployment] = overlays[0]?.manifests ?? [];
    if (deployment === undefined) throw new Error("There is no Deployment.");
    expect(refuses(withValue(deployment, ["spec", "replicas"], "two"))).toBe(true);
    expect(refuses(withValue(deployment, ["spec", "selector"], undefined))).toBe(true);
    expect(() => validate({ ...deployment, kind: "Depolyment" })).toThrow("no schema");
  });
});
