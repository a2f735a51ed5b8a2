// Passkeys: asks the browser's authenticators and sends their answers with a form. Forms marked data-passkey are hidden
// where there are none.

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const begin = async (form) => {
  const body = new URLSearchParams();
  for (const name of ["csrf", "current"]) if (form.elements[name]) body.set(name, form.elements[name].value);
  const reply = await fetch(`${form.getAttribute("action")}/begin`, { method: "POST", body });
  if (reply.ok) return reply.json();
  const told = await reply.json().catch(() => ({}));
  throw new Error(told.diagnostics?.[0]?.message ?? told.detail ?? "It could not be begun. Reload the page and try again.");
};

const ways = {
  "sign-in": async (asked) => {
    const publicKey = { challenge: decode(asked.challenge), rpId: asked.party, userVerification: "required", timeout: 300_000 };
    const { rawId, response } = await navigator.credentials.get({ publicKey });
    return {
      credential: encode(rawId),
      client: encode(response.clientDataJSON),
      data: encode(response.authenticatorData),
      signature: encode(response.signature),
    };
  },
  new: async (asked) => {
    const { response } = await navigator.credentials.create({
      publicKey: {
        challenge: decode(asked.challenge),
        rp: { id: asked.party, name: "Tocsin" },
        user: { id: decode(asked.handle), name: asked.login, displayName: asked.name },
        pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: asked.known.map((id) => ({ type: "public-key", id: decode(id) })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        attestation: "none",
        timeout: 300_000,
      },
    });
    return { client: encode(response.clientDataJSON), attestation: encode(response.attestationObject) };
  },
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) break;
  form.hidden = false;
  form.addEventListener("submit", async (e) => {
    if (form.elements.ticket) return;
    e.preventDefault();
    const problem = form.querySelector("[role=alert]");
    const button = form.querySelector("button");
    problem.hidden = true;
    button.disabled = true;
    try {
      const asked = await begin(form);
      const answer = await ways[form.dataset.passkey](asked);
      for (const [name, value] of Object.entries({ ticket: asked.ticket, ...answer })) {
        const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
        form.append(field);
      }
      form.submit();
    } catch (error) {
      button.disabled = false;
      problem.hidden = false;
      problem.textContent =
        error.name === "NotAllowedError" ? "The authenticator did not answer, or it was cancelled." : error.message;
    }
  });
}
