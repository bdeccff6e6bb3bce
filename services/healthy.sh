#!/bin/bash
# healthy.sh [PORT]: whether the service of this container is ready, asked without starting a Node for it every two seconds.
port=${1:-9091}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$port" >&3
read -r -t 3 _ status _ <&3
[[ $status == 200 ]]
