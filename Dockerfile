# hydrad and `hydra` in one image; docs/container-image.md says how to run it. Built by bin/image, which lays the runtime beside the build.
ARG BASE=debian:trixie-slim
FROM ${BASE}

# What it calls on the way to libvirt, containerd and tmux. A base that has all of it is built upon without a network.
RUN set -e; \
    packages='tmux libvirt-clients qemu-utils genisoimage openssh-client perl-base runc containernetworking-plugins iptables iproute2'; \
    dpkg-query -W $packages >/dev/null 2>&1 || { \
        apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; \
        rm -rf /var/lib/apt/lists/*; \
    }; \
    useradd --uid 1000 --create-home --shell /bin/bash hydra; \
    install -d -m 700 -o hydra -g hydra /var/lib/hydra; \
    ln -s /opt/hydra/bin/hydra /usr/local/bin/hydra

COPY target/java /opt/hydra/java
COPY target/hydra /opt/hydra
COPY bin/hydra /opt/hydra/bin/hydra
COPY bin/lib/java.sh /opt/hydra/bin/lib/java.sh

ENV JAVA_HOME=/opt/hydra/java HYDRA_HOME=/var/lib/hydra LANG=C.UTF-8
VOLUME /var/lib/hydra
USER hydra
WORKDIR /home/hydra
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["hydra", "daemon", "status"]
ENTRYPOINT ["hydra", "--daemon"]
