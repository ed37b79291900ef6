"""Faults under load: what scripts/faults runs."""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid

IMAGES, CLASSES, SIDE = 240, 10, 8
REFEREE = os.path.abspath(os.environ["REFEREE_BINARY"])
KILLED = ("api", "scorer", "worker", "model", "server", "backend", "postmaster")
OUTAGES = ("store vanishes", "store's disk full", "cache's disk full", "database away", "database's disk full")


def postgres_programs():
    named = os.environ.get("REFEREE_POSTGRES_BIN")
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return pathlib.Path(named) if named else found[-1]


def as_postgres(*command):
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command]


class Part:
    """A process that is started again whenever it ends, as a service manager does it."""

    def __init__(self, name, command, environment, log):
        self.name, self.command, self.log = name, command, log
        self.environment = {"PATH": os.environ["PATH"], **environment}
        self.wanted, self.process = True, None
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    def keep(self):
        while True:
            if not self.wanted:
                time.sleep(0.05)
                continue
            with open(self.log, "a") as log:
                self.process = subprocess.Popen(self.command, env=self.environment, stderr=log, stdout=log, cwd="/", start_new_session=True)
            self.process.wait()
            time.sleep(0.5)

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)

    def stop(self):
        self.wanted = False
        self.kill(signal.SIGKILL)


class Disk:
    """A place for files: a small disk of its own where that may be mounted, so that it can be full."""

    def __init__(self, path, megabytes, owner=None):
        self.path = path
        path.mkdir()
        mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", path], capture_output=True) if os.geteuid() == 0 else None
        self.can_fill = mounting is not None and mounting.returncode == 0
        if owner and os.geteuid() == 0:
            shutil.chown(path, owner)

    def fill(self):
        with open(self.path / "ballast", "wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        (self.path / "ballast").unlink(missing_ok=True)


class Installation:
    def __init__(self, work):
        self.work = work
        self.programs = postgres_programs()
        self.store = Disk(work / "store", 64)
        self.cache = Disk(work / "cache", 48)
        self.database_disk = Disk(work / "database", 400, owner="postgres")
        self.objects = self.store.path / "objects"
        self.objects.mkdir()
        self.objects.chmod(0o700)
        self.make_database()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        serve = [REFEREE, "serve", "--data", str(work / "data"), "--roles"]
        common = {"REFEREE_OBJECTS": str(self.objects), "REFEREE_LOG": "info,sqlx=warn,graphile_worker=warn", "HOME": str(work)}
        inference = ["inference", "--device", "cpu", "--model-threads", "1", "--model-shard-seconds", "0.002", "--image-cache", str(self.cache.path / "images")]
        role = lambda name: {f"REFEREE_{name.upper()}_DATABASE_URL": self.url(f"referee_{name}"), **common}
        log = lambda name: work / f"{name}.log"
        self.api = Part("api", [*serve, "api", "--listen", f"127.0.0.1:{self.port}"], {**role("api"), "REFEREE_SERVER_KEY": "0f" * 32}, log("api"))
        self.scorer = Part("scorer", [*serve, "scorer"], role("scorer"), log("scorer"))
        self.workers = [Part(f"worker {number}", [*serve, *inference], role("inference"), log(f"worker-{number}")) for number in (1, 2)]
        self.parts = [self.api, self.scorer, *self.workers]

    def url(self, role):
        return f"postgres://{role}@localhost/referee?host={self.database_disk.path}"

    def make_database(self):
        data = self.database_disk.path / "data"
        subprocess.run(as_postgres(self.programs / "initdb", "-D", data, "-U", "referee_owner", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"), check=True, capture_output=True)
        command = as_postgres(str(self.programs / "postgres"), "-D", str(data), "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.database_disk.path}",
                              "-c", "fsync=off", "-c", "max_connections=200", "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB", "-c", "wal_keep_size=0")
        self.postgres = Part("postgres", command, {}, self.work / "postgres.log")
        self.until("the database answers", lambda: self.ask("SELECT 1", database="postgres") == "1")
        self.ask("CREATE DATABASE referee", database="postgres")
        subprocess.run([REFEREE, "migrate"], check=True, capture_output=True, env={"PATH": os.environ["PATH"], "DATABASE_URL": self.url("referee_owner")})

    def ask(self, query, database="referee"):
        """What the owner's query answers; none while the database is away."""
        psql = [self.programs / "psql", "-X", "-q", "-A", "-t", "-h", self.database_disk.path, "-U", "referee_owner", "-d", database, "-c", query]
        try:
            answer = subprocess.run(psql, capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    @staticmethod
    def until(what, holds, seconds=120):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not come within {seconds} s")
            time.sleep(0.1)

    def is_up(self, path="/readyz"):
        try:
            return urllib.request.urlopen(self.address + path, timeout=2).status == 200
        except OSError:
            return False

    def models(self):
        """The processes that run models."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if b"infer-child" in (process / "cmdline").read_bytes() and REFEREE.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:
                pass
        ours = {part.process.pid for part in self.workers if part.process}
        return [pid for pid in found if parent(pid) in ours]

    def stop(self):
        for part in [*self.parts, self.postgres]:
            part.stop()
        for part in [*self.parts, self.postgres]:
            if part.process:
                part.process.wait()


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def truth(image):
    return image * 7 % CLASSES


def npy(shape, content):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def images():
    """Image i is brightest in the pixel of its class."""
    content = bytearray(random.Random(7).randbytes(IMAGES * SIDE * SIDE))
    for image in range(IMAGES):
        for pixel in range(SIDE * SIDE):
            content[image * SIDE * SIDE + pixel] //= 4
        content[image * SIDE * SIDE + truth(image)] = 255
    return npy((IMAGES, SIDE, SIDE), bytes(content))


def perceptron(wrong_classes, scale):
    """A network that sees each image's class, and says the next one for so many of the classes. It takes the images enlarged, so
    that they have to be prepared, once for each scale."""
    side = scale * SIDE
    weights = [0.0] * (CLASSES * side * side)
    for shown in range(CLASSES):
        said = (shown + 1) % CLASSES if shown < wrong_classes else shown
        row, column = (scale * place + scale // 2 for place in divmod(shown, SIDE))
        weights[said * side * side + row * side + column] += 100.0
    recipe = {"resize": [side, side], "crop": side, "interpolation": "nearest", "mean": [0.0], "std": [1.0]}
    data = struct.pack(f"<{len(weights)}f", *weights) + bytes(4 * CLASSES)
    split = 4 * len(weights)
    header = json.dumps({
        "__metadata__": {"architecture": "perceptron", "preprocess": json.dumps(recipe)},
        "fc.weight": {"dtype": "F32", "shape": [CLASSES, side * side], "data_offsets": [0, split]},
        "fc.bias": {"dtype": "F32", "shape": [CLASSES], "data_offsets": [split, len(data)]},
    }).encode()
    return struct.pack("<Q", len(header)) + header + data


def model_errors(wrong_classes):
    said = lambda shown: (shown + 1) % CLASSES if shown < wrong_classes else shown
    return sum(said(truth(image)) != truth(image) for image in range(IMAGES))


def predictions(wrong):
    return "".join(f"{(truth(image) + (image < wrong)) % CLASSES + 1}\n" for image in range(IMAGES)).encode()


class Client:
    """Somebody who submits, and sends what was not answered again under the same key, as the command line does."""

    def __init__(self, installation, handle):
        self.installation, self.handle, self.token = installation, handle, None
        self.run("register", handle)
        self.token = self.run("token").strip()

    def run(self, *arguments):
        home = self.installation.work / f"home-{self.handle}"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "REFEREE_SERVER": self.installation.address, "REFEREE_PASSWORD": "correct horse battery"}
        return subprocess.run([REFEREE, *arguments], env=environment, check=True, capture_output=True, text=True).stdout

    def request(self, method, path, body=None, headers=None, timeout=30):
        request = urllib.request.Request(f"{self.installation.address}/api/v1/{path}", data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def submit(self, kind, filename, content, tally):
        """The accepted submission's id; none where it was refused."""
        key, boundary = str(uuid.uuid4()), uuid.uuid4().hex
        field = lambda name, value: f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        body = field("kind", kind) + field("method", filename) + f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": key}
        while True:
            try:
                return self.request("POST", "challenges/faults/submissions", body, headers)["id"]
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    tally.refusals.append(f"{error.code} {error.read().decode(errors='replace')[:300]}")
                    return None
                tally.answers[error.code] = tally.answers.get(error.code, 0) + 1
            except (OSError, ValueError):
                tally.answers["none"] = tally.answers.get("none", 0) + 1
            time.sleep(0.3)


class Tally:
    def __init__(self):
        self.accepted, self.refusals, self.answers = {}, [], {}
        self.kills = {part: 0 for part in KILLED}
        self.outages = {}
        self.recoveries = {}
        self.reads, self.unread, self.slowest_read = 0, 0, 0.0


def load(client, kind, number, over, tally):
    chance = random.Random(number)
    while not over.is_set():
        if kind == "model":
            wrong = chance.randrange(CLASSES)
            misses, name, content = model_errors(wrong), f"{wrong}.safetensors", perceptron(wrong, chance.randrange(1, 9))
        else:
            misses = chance.randrange(IMAGES)
            name, content = f"{misses}.txt", predictions(misses)
        accepted = client.submit(kind, name, content, tally)
        if accepted:
            tally.accepted[accepted] = misses
        over.wait(1.5 if kind == "model" else 0.4)


def read_boards(installation, over, tally):
    """As a visitor does, who is to notice nothing but of the web server itself."""
    address = f"{installation.address}/api/v1/challenges/faults/leaderboard"
    while not over.is_set():
        start = time.monotonic()
        try:
            urllib.request.urlopen(address, timeout=10).read()
            tally.reads += 1
            tally.slowest_read = max(tally.slowest_read, time.monotonic() - start)
        except urllib.error.HTTPError:
            tally.unread += 1
        except OSError:
            pass
        over.wait(0.05)


def hurt(installation, part, chance):
    """Kills a part; whether there was one."""
    if part == "model":
        running = installation.models()
        if not running:
            return False
        return end(chance.choice(running))
    if part == "backend":
        backends = installation.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'referee_owner'")
        return bool(backends) and end(int(chance.choice(backends.split())))
    targets = {"api": [installation.api], "scorer": [installation.scorer], "worker": [chance.choice(installation.workers)],
               "server": installation.parts, "postmaster": [installation.postgres]}[part]
    for target in targets:
        target.kill()
    return True


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def break_for_a_while(installation, outage, seconds):
    if outage == "store vanishes":
        away = installation.store.path / "away"
        installation.objects.rename(away)
        time.sleep(seconds)
        if installation.objects.exists():  # made anew meanwhile: what came in is kept
            shutil.copytree(installation.objects, away, dirs_exist_ok=True)
            shutil.rmtree(installation.objects)
        away.rename(installation.objects)
    elif outage == "database away":
        installation.postgres.wanted = False
        installation.postgres.kill(signal.SIGINT)
        time.sleep(seconds)
        installation.postgres.wanted = True
    else:
        disk = {"store's disk full": installation.store, "cache's disk full": installation.cache, "database's disk full": installation.database_disk}[outage]
        disk.fill()
        time.sleep(seconds)
        disk.free()


def recovery(installation, part, since, tally):
    """How long it took until what the part does was done again."""
    kind = "model" if part in ("worker", "model") else "predictions"
    query = f"SELECT EXISTS (SELECT FROM submissions WHERE kind = '{kind}' AND created_at > to_timestamp({since}) AND scored_at IS NOT NULL)"
    while time.time() < since + 600:
        if installation.ask(query) == "t":
            tally.recoveries.setdefault(part, []).append(time.time() - since)
            return
        time.sleep(0.2)
    tally.recoveries.setdefault(part, []).append(float("inf"))


def disturb(installation, options, chance, tally):
    outages = [outage for outage in OUTAGES if not outage.endswith("full") or installation.store.can_fill]
    chance.shuffle(outages)
    watching, begun, next_outage, turn = [], time.monotonic(), 0, []
    every = options.kills // max(options.outages, 1)
    while sum(tally.kills.values()) < options.kills and time.monotonic() < begun + options.most_seconds:
        time.sleep(chance.uniform(0.3, 1.7) * options.pause)
        if not turn:  # each part as often as any other
            turn = chance.sample(KILLED, len(KILLED))
        part = turn.pop()
        if hurt(installation, part, chance):
            tally.kills[part] += 1
            watching.append(threading.Thread(target=recovery, args=(installation, part, time.time(), tally), daemon=True))
            watching[-1].start()
        done = sum(tally.kills.values())
        if next_outage < options.outages and done >= (next_outage + 1) * every - every // 2:
            outage = outages[next_outage % len(outages)]
            tally.outages[outage] = tally.outages.get(outage, 0) + 1
            next_outage += 1
            break_for_a_while(installation, outage, chance.uniform(2, 5))
    return watching


def set_up(installation):
    installation.until("the server is ready", installation.is_up)
    organizer = Client(installation, "organizer")
    directory = installation.work / "challenge"
    directory.mkdir()
    (directory / "challenge.toml").write_text('slug = "faults"\ntitle = "Faults"\nclasses = "classes.txt"\n[test]\nimages = "images.npy"\nlabels = "labels.csv"\npublic_images = true\n[leaderboard]\nprimary = "top1"\n')
    (directory / "classes.txt").write_text("".join(f"class {number}\n" for number in range(CLASSES)))
    (directory / "images.npy").write_bytes(images())
    (directory / "labels.csv").write_text("image,label\n" + "".join(f"{image},{truth(image)}\n" for image in range(IMAGES)))
    organizer.run("challenge", "create", str(directory), "--known-labels")
    return organizer


def outcome(organizer, tally):
    """What became of what was accepted, as the server tells it."""
    found, after = {}, ""
    while True:
        page = organizer.request("GET", f"challenges/faults/submissions?limit=200{after}")
        found.update({one["id"]: one for one in page["items"]})
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    statuses = {}
    for one in found.values():
        statuses[one["status"]] = statuses.get(one["status"], 0) + 1
    wrong = [id for id, misses in tally.accepted.items()
             if found.get(id, {}).get("status") == "scored" and abs(found[id]["scores"]["public"]["top1_error"] - misses / IMAGES) > 1e-9]
    return {
        "accepted": len(tally.accepted),
        "scored": statuses.get("scored", 0),
        "lost": sum(id not in found for id in tally.accepted),
        "wrong": len(wrong),
        "doubled": len(found) - sum(id in tally.accepted for id in found),
        "failed": statuses.get("failed", 0),
        "rejected": statuses.get("rejected", 0),
        "unfinished": statuses.get("queued", 0) + statuses.get("running", 0),
        "refused": len(tally.refusals),
    }, [one for one in found.values() if one["status"] not in ("scored",)]


def report(seed, seconds, result, tally, worst_wait):
    row = lambda name, value: print(f"  {name:<34} {value}")
    print(f"seed {seed}, {seconds:.0f} s of load, {sum(tally.kills.values())} kills, {sum(tally.outages.values())} outages")
    for name, value in result.items():
        row(name, value)
    row("worst wait until scored", f"{worst_wait} s")
    row("board reads, 5xx, slowest", f"{tally.reads}, {tally.unread}, {tally.slowest_read * 1000:.0f} ms")
    row("uploads answered 5xx or not at all", ", ".join(f"{answer}: {times}" for answer, times in tally.answers.items()) or "none")
    for outage, times in tally.outages.items():
        row(f"outage: {outage}", times)
    print(f"  {'killed':<12} {'times':>5}   recovery: median, worst (s)")
    for part, times in tally.kills.items():
        seen = sorted(tally.recoveries.get(part, []))
        figures = f"{seen[len(seen) // 2]:.1f}, {seen[-1]:.1f}" if seen else "–"
        print(f"  {part:<12} {times:>5}   {figures}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("form", nargs="?", choices=["short", "long"], default="short")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the logs, and say where")
    options = parser.parse_args()
    options.kills, options.outages, options.pause, options.most_seconds = (300, 20, 2.0, 3600) if options.form == "long" else (14, 4, 1.0, 32)
    chance, tally = random.Random(options.seed), Tally()
    work = pathlib.Path(tempfile.mkdtemp(prefix="referee-faults."))
    work.chmod(0o755)
    installation = Installation(work)
    if not installation.store.can_fill:
        print("no disk is filled: this may not mount a tmpfs here")
    is_good = False
    try:
        organizer = set_up(installation)
        clients = [(Client(installation, f"team-{number}"), kind) for number, kind in enumerate(["predictions"] * 3 + ["model"] * 2)]
        over, begun = threading.Event(), time.monotonic()
        threads = [threading.Thread(target=load, args=(client, kind, number, over, tally), daemon=True) for number, (client, kind) in enumerate(clients)]
        threads.append(threading.Thread(target=read_boards, args=(installation, over, tally), daemon=True))
        for thread in threads:
            thread.start()
        time.sleep(2)
        watching = disturb(installation, options, chance, tally)
        time.sleep(2)
        over.set()
        seconds = time.monotonic() - begun
        for thread in threads:
            thread.join(120)
        installation.until("the server is ready again", installation.is_up, 120)
        unfinished = "SELECT count(*) FROM submissions WHERE status IN ('queued', 'running')"
        deadline = time.monotonic() + (600 if options.form == "long" else 120)
        while installation.ask(unfinished) != "0" and time.monotonic() < deadline:
            time.sleep(0.3)
        for thread in watching:
            thread.join(5)
        result, others = outcome(organizer, tally)
        worst = installation.ask("SELECT round(extract(epoch FROM max(scored_at - created_at))::numeric, 1) FROM submissions")
        report(options.seed, seconds, result, tally, worst)
        for one in others[:10]:
            print("   ", one["id"], one["kind"], one["status"], one.get("problem"), one.get("progress"))
        for refusal in tally.refusals[:5]:
            print("   ", refusal)
        bad = ("lost", "wrong", "doubled", "failed", "rejected", "unfinished", "refused")
        is_good = result["accepted"] > 0 and not any(result[name] for name in bad)
        print("1 passed, 0 failed" if is_good else "0 passed, 1 failed")
    finally:
        installation.stop()
        if options.keep or not is_good:
            logs = pathlib.Path(tempfile.mkdtemp(prefix="referee-faults-logs."))
            for log in work.glob("*.log"):
                shutil.copy(log, logs)
            print(f"logs: {logs}")
        for disk in (installation.store, installation.cache, installation.database_disk):
            if disk.can_fill:
                subprocess.run(["umount", "-l", disk.path], capture_output=True)
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
