#!/usr/bin/env python3
"""Records what a real Redis answers: rewrites the replies in the given files.

    record.py /path/to/redis-server file.txt …

A file is a list of commands and their replies:

    #            a comment; "#! fresh" leaves the server without slots, "#! plain" starts one that is
                 not in cluster mode
    > GET k      a command of the first client; "2> GET k" of the second
    "v"          its replies; "2< …" is something that another client got meanwhile
    wait 250     let so many milliseconds pass
    ~ nil        what 6.2.3 answers, by its source, where the recorded version differs

Each file gets a server of its own. Node ids are masked.
"""
import os, re, select, shutil, socket, subprocess, sys, tempfile, time

PORT = 17400


def split(line):
    words, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
        elif line[at] == '"':
            word, at = bytearray(), at + 1
            while line[at] != '"':
                if line[at] == "\\":
                    at += 1
                    if line[at] == "x":
                        word.append(int(line[at + 1 : at + 3], 16))
                        at += 2
                    else:
                        word += {"n": b"\n", "r": b"\r", "t": b"\t"}.get(line[at], line[at].encode())
                else:
                    word += line[at].encode()
                at += 1
            words.append(bytes(word))
            at += 1
        else:
            end = line.find(" ", at)
            end = len(line) if end < 0 else end
            words.append(line[at:end].encode())
            at = end
    return words


def quote(data):
    special = {34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t"}
    return '"' + "".join(special.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data) + '"'


class Client:
    def __init__(self):
        self.sock = socket.create_connection(("127.0.0.1", PORT))
        self.data = b""

    def send(self, words):
        self.sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def replies(self):
        got = []
        while True:
            parsed = self.parse(0, "")
            if parsed is None:
                return got
            lines, at = parsed
            self.data = self.data[at:]
            got.append(lines)

    def parse(self, at, indent):
        end = self.data.find(b"\r\n", at)
        if end < 0:
            return None
        kind, rest, at = self.data[at : at + 1], self.data[at + 1 : end], end + 2
        if kind in b"+-:":
            return [indent + (kind + rest).decode("latin1")], at
        count = int(rest)
        if kind == b"$":
            if count < 0:
                return [indent + "nil"], at
            if len(self.data) < at + count + 2:
                return None
            return [indent + quote(self.data[at : at + count])], at + count + 2
        if count < 0:
            return [indent + "nil-array"], at
        lines = [f"{indent}*{count}"]
        for _ in range(count):
            parsed = self.parse(at, indent + "  ")
            if parsed is None:
                return None
            more, at = parsed
            lines += more
        return lines, at


def mask(line):
    return re.sub(r"\b[0-9a-f]{40}\b", "<id>", line)


def collect(clients, me):
    quiet = 0.15 if me else 0.05
    out = {}
    while True:
        ready, _, _ = select.select([c.sock for c in clients.values()], [], [], quiet)
        if not ready:
            return [line for name in sorted(out, key=lambda name: (name != me, name)) for line in out[name]]
        for name, client in list(clients.items()):
            if client.sock not in ready:
                continue
            data = client.sock.recv(1 << 20)
            prefix, lines = "" if name == me else f"{name}< ", out.setdefault(name, [])
            if not data:
                lines.append(prefix + "closed")
                del clients[name]
                continue
            client.data += data
            for reply in client.replies():
                lines += [prefix + mask(line) for line in reply]
        quiet = 0.02


def record(binary, path):
    lines = open(path).read().splitlines()
    folder = tempfile.mkdtemp()
    plain = "#! plain" in lines
    mode = "no" if plain else "yes"
    config = [f"port {PORT}", f"cluster-enabled {mode}", f"dir {folder}", "cluster-node-timeout 3000"]
    open(folder + "/redis.conf", "w").write("\n".join(config) + "\n")
    server = subprocess.Popen([binary, folder + "/redis.conf"], stdout=subprocess.DEVNULL)
    out, clients = [], {}
    try:
        for _ in range(100):
            try:
                clients["1"] = Client()
                break
            except OSError:
                time.sleep(0.05)
        if "#! fresh" not in lines and not plain:
            clients["1"].send([b"CLUSTER", b"ADDSLOTS"] + [b"%d" % n for n in range(16384)])
            time.sleep(4)
            collect(clients, "1")
        for number, line in enumerate(lines):
            command = re.match(r"(\d?)> (.*)", line)
            if command:
                name = command[1] or "1"
                if name not in clients:
                    clients[name] = Client()
                out.append(line)
                clients[name].send(split(command[2]))
                answer = collect(clients, name)
                known = [line for line in lines[number + 1 : number + 2] if line.startswith("~ ")]
                out += known or answer
            elif line.startswith("wait "):
                out.append(line)
                time.sleep(int(line[5:]) / 1000)
                out += collect(clients, None)
            elif line.startswith("#") or not line.strip():
                out.append(line)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)
    open(path, "w").write("\n".join(out) + "\n")


for name in sys.argv[2:]:
    record(sys.argv[1], name)
