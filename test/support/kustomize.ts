/**
 * What Kustomize makes of a folder, as far as scripts/deploy goes: resources, components,
 * JSON patches, namespace, images and labels. Whatever else a kustomization says throws.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export type Manifest = Record<string, unknown> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; namespace?: string };
};

interface Patch {
  readonly path: string;
  readonly target: { readonly kind: string; readonly name: string };
}

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: "Kustomization" | "Component";
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly Patch[];
  readonly images?: readonly { readonly name: string; readonly newTag: string }[];
  readonly labels?: readonly { readonly pairs: Readonly<Record<string, string>> }[];
}

interface Operation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

const KNOWN = new Set([
  ...["apiVersion", "kind", "namespace", "resources", "components", "patches", "images", "labels"],
]);

const read = <T>(path: string): T => parse(readFileSync(path, "utf8")) as T; // tests look at what it is

/** The manifests of a folder; `files` gets all that was read. */
export function build(folder: string, files: Set<string>, base: readonly Manifest[] = []) {
  const path = join(folder, "kustomization.yaml");
  files.add(path);
  const made = read<Kustomization>(path);
  const unknown = Object.keys(made).find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw new Error(`${path}: ${unknown} is not read here.`);
  let manifests = [...base];
  for (const name of made.resources ?? []) {
    const resource = join(folder, name);
    if (statSync(resource).isDirectory()) manifests.push(...build(resource, files));
    else {
      files.add(resource);
      manifests.push(read<Manifest>(resource));
    }
  }
  for (const name of made.components ?? []) {
    manifests = build(join(folder, name), files, manifests);
  }
  for (const patch of made.patches ?? []) {
    const file = join(folder, patch.path);
    files.add(file);
    const { kind, name } = patch.target;
    const target = manifests.find((one) => one.kind === kind && one.metadata.name === name);
    if (target === undefined) throw new Error(`${file}: there is no ${kind} ${name}.`);
    for (const operation of read<readonly Operation[]>(file)) apply(target, operation, file);
  }
  for (const manifest of manifests) {
    if (made.namespace !== undefined) manifest.metadata.namespace = made.namespace;
    for (const { pairs } of made.labels ?? []) {
      Object.assign(manifest.metadata, { labels: { ...pairs } });
    }
    for (const { name, newTag } of made.images ?? []) retag(manifest, name, newTag);
  }
  return manifests;
}

/** RFC 6902, `add` and `replace`. */
function apply(target: Manifest, { op, path, value }: Operation, file: string): void {
  const keys = path.split("/").slice(1);
  const last = keys.pop() ?? "";
  let at: unknown = target;
  for (const key of keys) at = (at as Record<string, unknown> | undefined)?.[key];
  if (typeof at !== "object" || at === null) throw new Error(`${file}: ${path} leads nowhere.`);
  if (Array.isArray(at) && last === "-" && op === "add") at.push(value);
  else if (op === "replace" && !(last in at)) throw new Error(`${file}: nothing is at ${path}.`);
  else (at as Record<string, unknown>)[last] = value;
}

function retag(value: unknown, image: string, tag: string): void {
  if (typeof value !== "object" || value === null) return;
  const fields = value as Record<string, unknown>; // an object's, or a list's by number
  if (fields["image"] === image) fields["image"] = `${image}:${tag}`;
  for (const inner of Object.values(fields)) retag(inner, image, tag);
}
