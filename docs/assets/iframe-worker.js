// The search runs in a worker, and browsers start no worker from a file. For pages that are opened as files, a worker is a
// hidden frame, which speaks with the page as a worker does.
if (location.protocol === "file:") {
  window.importScripts = (...urls) =>
    urls.reduce(
      (before, url) =>
        before.then(
          () =>
            new Promise((done, fail) => {
              const script = Object.assign(document.createElement("script"), { src: url, onload: done, onerror: fail });
              document.body.append(script);
            }),
        ),
      Promise.resolve(),
    );
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = Object.assign(document.createElement("iframe"), { hidden: true });
      document.body.append(frame);
      this.frame = frame;
      this.ready = new Promise((done) => frame.addEventListener("load", done, { once: true }));
      const inside = frame.contentWindow;
      inside.importScripts = (...urls) => inside.parent.importScripts.apply(inside, urls);
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.document.write(`<script src="${url}"></scr` + "ipt>");
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
