/** A view whose script is fetched when it is first looked at. */
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";

export function lazy<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  return function Lazy(props: Props) {
    const [, ready] = useState(false);
    useEffect(() => {
      if (loaded !== undefined) return;
      void load().then((view) => {
        loaded = view;
        ready(true);
      });
    }, []);
    const View = loaded;
    return View === undefined ? <p class="note">…</p> : <View {...props} />;
  };
}
