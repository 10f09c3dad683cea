// A link from another site brings no cookie along; asked from here, it may turn out that we know them.
const answer = await fetch("/login", { cache: "no-store" });
if (new URL(answer.url).pathname === "/chat") location.replace("/chat");
