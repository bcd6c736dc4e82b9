"""A jump of the server's clock while its clients are there, and what must not come of it.

A walk through pages goes on behind it; what was mirrored right before it is in CloudWatch's history, in the minute in
which it was mirrored, and once; and what is done right after it is recorded with the server's time.
"""

from __future__ import annotations

import random
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.control.kits.serve_kit import capture, make_filter, make_session, make_target, to_web
from tests.control.soak.crowd import Crowd
from tests.control.soak.skew import skewed_request

MINUTES = (1, 3, 12, 16, 120, 26 * 60, 7 * 24 * 60)
"""How far a clock jumps: inside and outside what a signature's date may be off, over the ends of session tokens, and
over a day, for which client tokens are kept. From one end to the other are fourteen days; CloudWatch keeps a minute for
fifteen."""
FRAMES = 10
INSTANCE = "i-0a1b2c3d4e5f60010"
"""Of the interface WEB."""
_NEAR = timedelta(seconds=2)


def draw(chance: random.Random) -> float:
    """Seconds by which a clock is then ahead, or behind."""
    return chance.choice((-1, 1)) * 60.0 * chance.choice(MINUTES)


class Jumper:
    """Somebody who mirrors, and is there when the clock jumps."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._ec2 = crowd.hands.skewed("ec2")
        self._watch = crowd.hands.skewed("cloudwatch")
        self._trail = crowd.hands.skewed("cloudtrail")
        make_session(self._ec2, make_filter(self._ec2, 80), make_target(self._ec2))
        self.jumps = 0

    def jump(self, ahead: float, *, recorded: bool) -> None:
        """The clock jumps. What is wrong then is in the world's list."""
        try:
            self._jump(ahead, recorded)
        except (BotoCoreError, ClientError, OSError) as error:
            self._crowd.world.wrong.append(f"at a jump of the clock: {error}")

    def _jump(self, ahead: float, recorded: bool) -> None:
        skew, world = self._crowd.hands.skew, self._crowd.world
        was = skew.now()
        before = self._mirrored(was)
        self._mirror()
        until = skew.now()
        self._crowd.walk(self._ec2, lambda: skew.jump(ahead))
        self.jumps += 1
        after = self._mirrored(was)
        if not _same_minute(until, skew.now()) and after - before < FRAMES:
            world.wrong.append(
                f"of {FRAMES} frames at {until:%d. %H:%M:%S}, {after - before:g} are in the history "
                f"after a jump to {skew.now():%d. %H:%M:%S}"
            )
        if recorded:
            self._check_record()

    def _mirror(self) -> None:
        hands = self._crowd.hands
        body = capture([to_web(80)] * FRAMES)
        prepared = skewed_request("/halfsilver/frames", hands.url, body, hands.credentials, hands.skew.now)
        asked = urllib.request.Request(prepared.url, data=body, headers=dict(prepared.headers), method="POST")
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert answer.status == 200, answer.status

    def _mirrored(self, moment: datetime) -> float:
        """Frames in the history of this minute and the one behind it."""
        start = moment.replace(second=0, microsecond=0)
        points = self._watch.get_metric_statistics(
            Namespace="AWS/EC2",
            MetricName="NetworkPacketsMirrorIn",
            Dimensions=[{"Name": "InstanceId", "Value": INSTANCE}],
            StartTime=start,
            EndTime=start + timedelta(minutes=2),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(each["Sum"] for each in points))

    def _check_record(self) -> None:
        skew, world = self._crowd.hands.skew, self._crowd.world
        began = skew.now()
        asked: Any = self._ec2.describe_regions()["ResponseMetadata"]["RequestId"]
        ended = skew.now()
        found = self._trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "DescribeRegions"}], MaxResults=1
        )["Events"]
        if not found or asked not in found[0]["CloudTrailEvent"]:
            world.wrong.append(f"a request at {began:%d. %H:%M:%S} has no record")
        elif not began - _NEAR <= found[0]["EventTime"].astimezone(UTC) <= ended + _NEAR:
            world.wrong.append(f"a request at {began:%d. %H:%M:%S} was recorded for {found[0]['EventTime']}")


def _same_minute(one: datetime, other: datetime) -> bool:
    return one.replace(second=0, microsecond=0) == other.replace(second=0, microsecond=0)
