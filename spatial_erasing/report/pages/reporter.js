/* Added to the page that Snakemake's reporter writes. */
"use strict";
(() => {
  const FRONT = "results/report/front.html";

  // Browsers refuse frames whose data address is longer than some megabytes; they have no such limit for blobs.
  for (const entry of Object.values(results)) {
    const [head, content] = [entry.data_uri.slice(0, 200).split(",")[0], entry.data_uri];
    if (!/^data:(text\/html|application\/pdf)/.test(head)) continue;
    const bytes = Uint8Array.from(atob(content.slice(head.length + 1)), (letter) => letter.charCodeAt(0));
    const type = head.startsWith("data:text/html") ? "text/html;charset=utf-8" : "application/pdf";
    entry.data_uri = URL.createObjectURL(new Blob([bytes], { type }));
  }

  // The front page is where the reader starts and where "home" leads.
  const start = () => {
    if (typeof app === "undefined" || !app || !app.updater.isMounted(app)) {
      requestAnimationFrame(start);
      return;
    }
    const setView = app.setView;
    const front = { content: "html", contentPath: results[FRONT].data_uri, resultPath: FRONT };
    app.setView = (view) => setView(view.content === "metadata" ? { ...view, ...front } : view);
    app.setView(front);
  };
  start();
  window.addEventListener("message", ({ data }) => {
    if (data && data.category in categories) app.showCategory(data.category);
  });
})();
