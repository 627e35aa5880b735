// Before the first paint: the theme that was chosen with the switch, if any.
(() => {
  try {
    const theme = localStorage.getItem("quire.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is off: the system's preference it is.
  }
})();
