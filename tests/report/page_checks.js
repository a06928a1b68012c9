// Checks of a loaded page, as an object of functions; the tests evaluate this text and call them.
({
  // Opens what is folded, and returns all visible text.
  text() {
    for (const part of document.querySelectorAll("details")) part.open = true;
    return document.body.innerText;
  },

  // Elements that reach beyond the page, but for those in a box that scrolls or clips by itself.
  overflowing() {
    const width = document.documentElement.clientWidth;
    return [...document.body.querySelectorAll("*")]
      .filter(e => e.getBoundingClientRect().right > width + 0.5 && !e.closest(".scroll, .arena li") && !e.closest("svg svg"))
      .map(e => e.outerHTML.slice(0, 120));
  },

  // Texts whose contrast with what is behind them is under 4.5 (WCAG 2, level AA).
  faint() {
    const parse = css => css.match(/[\d.]+/g).map(Number);
    const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = element => {
      if (element.tagName === "text") return getComputedStyle(element.parentNode.querySelector("rect")).fill;
      for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if ((parse(color)[3] ?? 1) === 1) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || ["title", "STYLE"].includes(element.tagName)) continue;
      const style = getComputedStyle(element);
      const front = element.tagName === "text" ? style.fill : style.color;
      const pair = [luminance(parse(front)), luminance(parse(behind(element)))].sort((a, b) => b - a);
      const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
      if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
    return found;
  },

  // The sum of all layout shifts since the page began to load.
  shift() {
    return new Promise(done => {
      let sum = 0;
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) sum += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
      setTimeout(() => done(sum), 300);
    });
  },
})
