// Sections whose heading begins with "Solution" are folded, so that a reader can try first. Without scripts they are open.
document.querySelectorAll("section[id^='solution']").forEach((section) => {
  const heading = section.querySelector("h2, h3, h4");
  if (!heading) return;
  const folded = document.createElement("details");
  const summary = document.createElement("summary");
  folded.className = "solution";
  const link = heading.querySelector(".headerlink");
  if (link) link.remove();
  summary.textContent = heading.textContent.trim();
  folded.append(summary);
  while (heading.nextSibling) folded.append(heading.nextSibling);
  heading.replaceWith(folded);
  const unfold = () => { if (location.hash === "#" + section.id) folded.open = true; };
  window.addEventListener("hashchange", unfold);
  unfold();
});
