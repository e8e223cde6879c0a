// Sound that is played while it comes: raw 16-bit samples, scheduled one piece after the other.

/**
 * Post a form and play the answer. Resolves when all of it has come and been heard, with the synthesis's `id`, or with
 * `status` and `text` of an answer that is no sound, or with `signedOut`. Rejects when the answer breaks off or `signal` aborts it.
 */
export const playLive = async (address, body, rate, signal) => {
  const context = new AudioContext({ sampleRate: rate });
  try {
    const response = await fetch(address, { method: "POST", body, signal });
    if (!response.ok) return { status: response.status, text: await response.text() };
    // Whose sign-in is over is sent to the page for it, which would be heard as noise.
    if (!response.headers.get("Content-Type")?.startsWith("audio/")) return { status: response.status, signedOut: true };
    let next = 0;
    let rest = new Uint8Array(0);
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const bytes = new Uint8Array(rest.length + read.value.length);
      bytes.set(rest);
      bytes.set(read.value, rest.length);
      // A sample may arrive in two halves.
      const whole = bytes.length - (bytes.length % 2);
      rest = bytes.slice(whole);
      if (!whole) continue;
      const samples = new DataView(bytes.buffer, 0, whole);
      const buffer = context.createBuffer(1, whole / 2, rate);
      const channel = buffer.getChannelData(0);
      for (let place = 0; place < channel.length; place += 1) channel[place] = samples.getInt16(2 * place, true) / 32768;
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(context.destination);
      // A little later than now: what comes in time follows without a gap.
      next = Math.max(next, context.currentTime + 0.1);
      source.start(next);
      next += buffer.duration;
    }
    await heard(context, next, signal);
    return { id: response.headers.get("X-Synthesis-Id") };
  } finally {
    context.close();
  }
};

// Until the last sample has sounded; a machine without an output does not hold up anybody.
const heard = (context, end, signal) =>
  new Promise((resolve, reject) => {
    const left = context.state === "running" ? Math.max(0, end - context.currentTime) : 0;
    const timer = setTimeout(resolve, 1000 * left);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
